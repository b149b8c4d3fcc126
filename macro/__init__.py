"""PrivateImage: a CloudFormation macro for containers that pull from a private registry."""

__version__ = "0.1.0"
