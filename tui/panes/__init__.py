"""The panes of the screen: each paints one view of the model."""
