"""Places of files, on a disk or in a bucket, in which a file is there whole or not at all."""
