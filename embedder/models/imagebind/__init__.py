"""ImageBind (arXiv:2305.05665): our own implementation, for the checkpoint as it was published.

shape   its numbers, as data        senses  media and tensors to towers' inputs
tower   its networks                video   frames and sound track of a film
weights its checkpoint              model   the embedder
"""
