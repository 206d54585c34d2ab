"""One file a fault; its name on the command line is the file's, with dashes. No list of them is kept anywhere."""
