"""Where things are: soft masks of liver, ablation zone, tumor and vessels, drawn by a person or found by a method. Pure."""
