"""PrivateImage: a CloudFormation macro for containers that pull from a private registry."""

from macro.engine import __version__

PROJECT_URL = "https://example.com/private-image"
"""Where the project is published; pyproject.toml names it too."""

__all__ = ["PROJECT_URL", "__version__"]
