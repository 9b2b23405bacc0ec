"""What people look at: costs, tables as text, TensorBoard events."""
