"""What a certificate says (`content`), where it is had from (`making`), and whether it holds (`checking`)."""
