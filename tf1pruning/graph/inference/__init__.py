"""Training graph -> the model in inference, and -> what a further training needs."""
