"""The vocabulary that every part of Raygate shares. Pure: no Ray, no HTTP, no files."""
