"""Similarity of runs: compute scores from 0 to 1 for workflow dicts. Reads neither files nor the database.

The weights are 0.40 for text, 0.20 for equal status, and 0.20 each for the ratios of costs and durations.
Only components known for both runs count, rescaled to 1. The score is 0 if a run has no text or if the
texts have nothing in common.
"""

from .analysis.similarity.feature_table import RunFeatures, SimilarityTable, build_table
from .analysis.similarity.scores import (
    Explanation,
    SimilarityPart,
    calculate_all_similarities,
    calculate_similarity_score,
    explain_similarity,
    find_similar_workflows,
    run_features,
)
from .analysis.similarity.text_vectors import text_vector
from .analysis.similarity.top_matches import best_matches
from .analysis.similarity.version import MODEL_VERSION

__all__ = [
    "MODEL_VERSION",
    "Explanation",
    "RunFeatures",
    "SimilarityPart",
    "SimilarityTable",
    "best_matches",
    "build_table",
    "calculate_all_similarities",
    "calculate_similarity_score",
    "explain_similarity",
    "find_similar_workflows",
    "run_features",
    "text_vector",
]
