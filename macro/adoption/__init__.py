"""Hand-written credentials of private registries: what is wrong with them, and their shorthand."""
