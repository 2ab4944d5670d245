"""A stranger's picture, made harmless: a PNG in, a grid of greys out.

Rule: the bytes of a picture are only ever read in a child process that can do
nothing else (`cage`); what comes back is measured before it is believed. The picture
is never saved.
"""

from coykiosk.picture.cage import PictureRefusedError, read_picture

__all__ = ["PictureRefusedError", "read_picture"]
