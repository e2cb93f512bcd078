"""Deliberate breakages of the rules: is the net tight?"""
