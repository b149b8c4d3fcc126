"""What AWS and the registries say, before a deploy, of what containers will pull."""
