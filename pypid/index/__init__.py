"""The rules of the index: resolution of names, publishing of uploads, changes to published projects."""
