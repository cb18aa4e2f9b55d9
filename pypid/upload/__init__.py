"""What an upload says of itself: the form, the file name and the archive must agree."""

from pypid.upload.content import CheckedContent, check_content
from pypid.upload.forms import check_form
from pypid.upload.rules import UploadRules

__all__ = ["CheckedContent", "UploadRules", "check_content", "check_form"]
