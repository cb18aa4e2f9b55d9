"""What an upload says of itself: the form, the file name and the archive must agree."""

from pypid.upload.archive_checks import CheckedContent, check_content
from pypid.upload.form_checks import check_form
from pypid.upload.policy import UploadRules

__all__ = ["CheckedContent", "UploadRules", "check_content", "check_form"]
