"""How found papers are put in order: fusion of the arms, feedback, and a linear reranker over all signals."""
