"""Scripts that make files of the repository; tests hold the files to them."""
