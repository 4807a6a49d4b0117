import { table } from '../kit/table.js';

/** What texts are embedded for. Models that tell a question from what answers it want to know. */
export type Purpose = 'query' | 'document' | 'classification' | 'clustering' | 'similarity';

/** The words that providers have for it, each of which a client may use. */
const WORDS = table<Purpose>({
  query: 'query',
  search_query: 'query',
  retrieval_query: 'query',
  document: 'document',
  passage: 'document',
  search_document: 'document',
  retrieval_document: 'document',
  classification: 'classification',
  clustering: 'clustering',
  semantic_similarity: 'similarity',
});

/** Null: a word that is not known. */
export const purposeOf = (word: string): Purpose | null => WORDS[word.toLowerCase()] ?? null;
