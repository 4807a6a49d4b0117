import { Injectable } from '@nestjs/common';
import { type ModelFacts, UNKNOWN_FACTS as UNKNOWN } from '../model-rules/index.js';
import { ConfigChanges, replaceOwned } from '../platform/postgres/index.js';
import { catalogdFacts } from './catalog.js';
import type { ModelEntry } from './model-entry.js';
import { ModelsRepository } from './models.repository.js';

/** What is known of models, in memory. What a tenant says goes before the catalog. */
@Injectable()
export class ModelBook {
  /** By tenant, then by `provider model`. */
  private readonly shelves = new Map<string, Map<string, Said>>();

  constructor(
    private readonly repository: ModelsRepository,
    changes: ConfigChanges,
  ) {
    changes.subscribe((tenantIds) => this.reload(tenantIds));
  }

  /**
   * The same object for the same model, until its tenant says something else of it.
   * @param provider the name of the provider record.
   * @param listed where the vendor itself is meant: its id in the price catalog, and the model whose facts apply.
   */
  find(tenantId: string, provider: string, model: string, listed: { catalogId: string | null } | null, modelRulesOf = model): ModelFacts {
    const known = listed ? catalogdFacts(listed.catalogId, modelRulesOf) : UNKNOWN;
    return this.shelves.get(tenantId)?.get(`${provider} ${model}`)?.over(known) ?? known;
  }

  private reload(tenantIds: readonly string[] | null): Promise<void> {
    return replaceOwned(tenantIds, this.shelves.keys(), this.repository.byTenant(tenantIds), (tenantId, entries) => {
      if (entries.length === 0) this.shelves.delete(tenantId);
      else this.shelves.set(tenantId, new Map(entries.map((entry) => [`${entry.provider} ${entry.model}`, new Said(entry)])));
    });
  }
}

/** What a tenant says of a model, over what is known of it: put together once. */
class Said {
  private known: ModelFacts | null = null;
  private facts: ModelFacts = UNKNOWN;

  constructor(private readonly entry: ModelEntry) {}

  over(known: ModelFacts): ModelFacts {
    if (this.known === known) return this.facts;
    const { entry } = this;
    this.known = known;
    this.facts = {
      contextWindow: entry.contextWindow ?? known.contextWindow,
      maxOutputTokens: entry.maxOutputTokens ?? known.maxOutputTokens,
      tools: entry.tools ?? known.tools,
      vision: entry.vision ?? known.vision,
      reasoning: entry.reasoning ?? known.reasoning,
    };
    return this.facts;
  }
}
