"""fdl_zoo: a model zoo and plugin registry on Keras 3 for Fundamentals of Deep Learning."""
