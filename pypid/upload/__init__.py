"""Uploads: their form, file name, archive and sidecar files, each valid and in agreement."""

from pypid.upload.archive_checks import CheckedContent, check_content
from pypid.upload.form_checks import check_form
from pypid.upload.policy import UploadRules

__all__ = ["CheckedContent", "UploadRules", "check_content", "check_form"]
