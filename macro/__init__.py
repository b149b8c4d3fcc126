"""PrivateImage: a CloudFormation macro for containers that pull from a private registry."""
