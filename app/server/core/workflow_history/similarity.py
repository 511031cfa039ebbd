"""Similarity of runs: workflow dicts in, scores from 0 to 1 out. Reads neither files nor the database.

Text counts .40, equal status .20, the ratios of costs and of durations .20 each, over the parts that
both runs have, rescaled to 1. Without text on both sides, or where the texts share nothing, the score is 0.
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
