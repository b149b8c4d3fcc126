"""PrivateImage: a CloudFormation macro for containers that pull from a private registry."""

from macro.engine import __version__

__all__ = ["__version__"]
