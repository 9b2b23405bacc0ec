"""What a training needs around it: warm start, evaluation, progress, resuming."""
