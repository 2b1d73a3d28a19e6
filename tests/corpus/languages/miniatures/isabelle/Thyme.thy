\version "2.18"
melody = { c4 d e f }
The herb's name is thyme, and this file is a song about it.
