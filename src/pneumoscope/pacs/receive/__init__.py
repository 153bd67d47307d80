"""Take instances in: C-STORE (`scp`), STOW-RS (`stow`), and what both share (`admission`)."""
