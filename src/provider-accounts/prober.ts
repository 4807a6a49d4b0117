import { Injectable } from '@nestjs/common';
import { conversationIn, embeddings, pathAt, type StreamReader, type Translation, type WholeReply } from '../dialects/index.js';
import { WeirError } from '../kernel/errors.js';
import { hexOf, newId } from '../kernel/ids.js';
import type { Nano } from '../kernel/money.js';
import { inSlices, type Work } from '../kernel/slices.js';
import { inputTotal, NO_USAGE, type Usage } from '../kernel/usage.js';
import { Egress, EgressError, fetchBuffered, isAnswer, type WholeAnswer } from '../platform/egress/index.js';
import { costOf, ratesFor } from '../prices/index.js';
import { CredentialAuths, Identities, MockTransport } from '../providers/index.js';
import { headersFor, type Target } from '../routing/index.js';
import { type ProbeClass, type ProbeReport, QUESTIONS, type Question } from './probe.js';

/** Of each question. */
const BOUNDS = { totalMs: 10_000, maxBytes: 256 * 1024 };
/** After these nothing else need be asked. */
const HOPELESS = new Set<ProbeClass>(['refused', 'unreachable', 'timeout', 'interrupted', 'auth', 'billing']);
/** Asked for where no model is known: to hear that there is none is to hear the provider. */
const NO_MODEL = 'weir-probe';

interface Finding {
  class: ProbeClass;
  latencyMs: number;
  usage: Usage | null;
  calledTool: boolean;
}

/** Asks a provider small questions on the way a call would take, to see what it can do. Nothing is held or booked for them. */
@Injectable()
export class Prober {
  private readonly mock = new MockTransport();
  private readonly auths: CredentialAuths;

  constructor(
    private readonly egress: Egress,
    identities: Identities,
  ) {
    this.auths = new CredentialAuths(egress, identities);
  }

  /** @param targetOf the target for a model. @param model null: none is known. Never throws for what a provider does. */
  async probe(targetOf: (model: string) => Target, model: string | null): Promise<ProbeReport> {
    const target = targetOf(model ?? NO_MODEL);
    const chat = await this.ask(target, 'chat');
    if (model === null || HOPELESS.has(chat.class)) return unexplored(chat, model, target);
    const [streaming, tools, vectors] = await Promise.all([
      this.ask(target, 'streaming'),
      this.ask(target, 'tools'),
      this.ask(target, 'embeddings'),
    ]);
    const ok = chat.class === 'ok' || vectors.class === 'ok';
    return {
      ok,
      class: ok ? 'ok' : chat.class,
      latencyMs: chat.latencyMs,
      model,
      chat: chat.class === 'ok',
      streaming: streaming.class === 'ok',
      tools: tools.calledTool,
      usage: (chat.usage ?? vectors.usage) !== null,
      embeddings: vectors.class === 'ok',
      ...spentOn([chat, streaming, tools, vectors], target),
    };
  }

  private async ask(target: Target, question: Question): Promise<Finding> {
    const startedAt = performance.now();
    const finding = (outcome: ProbeClass, usage: Usage | null = null, calledTool = false): Finding => ({
      class: outcome,
      latencyMs: Math.round(performance.now() - startedAt),
      usage,
      calledTool,
    });
    const { dialects, quirks, model, modelRulesOf } = target;
    const format = question === 'embeddings' ? embeddings : conversationIn('openai-chat');
    const body = { ...QUESTIONS[question], model };
    let heard: WholeAnswer;
    let translation: Translation;
    try {
      const prompt = format.decodeRequest(body, JSON.stringify(body).length);
      const identity = { id: hexOf(newId()), createdAt: Math.floor(Date.now() / 1000), model };
      const way = format.open(prompt, { dialects, quirks, thinkingLevel: null, modelRulesOf }, identity);
      translation = way.translation;
      const maxOutputTokens = Math.max(prompt.maxOutputTokens ?? 0, way.leastOutputTokens);
      const request = translation.encodeRequest({ model, modelRulesOf, maxOutputTokens, thinkingLevel: null, quirks });
      const accept = prompt.stream && translation.streams ? translation.streams.type : 'application/json';
      const unsigned = {
        origin: target.origin,
        path: pathAt(target, way.dialect, request.path),
        headers: headersFor(target, accept, request.headers),
        body: request.body,
      };
      const auth = target.credential && this.auths.of(target.credential, target.auth, target.origin);
      const shown = auth ? await auth.headersFor(unsigned) : [];
      const transport = target.type === 'mock' ? this.mock : this.egress;
      heard = await fetchBuffered(transport, { ...unsigned, headers: [...unsigned.headers, ...shown] }, BOUNDS);
    } catch (error) {
      return finding(failureOf(error));
    }
    if (heard.status >= 300 && heard.status < 400) return finding('unreadable');
    if (!isAnswer(heard.status)) return finding(translation.decodeRefusal(heard.status, heard.body, heard.headers).class);
    try {
      if (question === 'streaming') {
        const reader = await inSlices(readStream(translation, heard));
        return finding(reader.refusal?.class ?? (reader.complete ? 'ok' : 'interrupted'), reader.facts.usage);
      }
      const whole = await inSlices(readWhole(translation, heard));
      return finding(whole.refusal?.class ?? 'ok', whole.facts.usage, question === 'tools' && callsTool(whole));
    } catch {
      return finding('unreadable');
    }
  }
}

function failureOf(error: unknown): ProbeClass {
  if (error instanceof EgressError) return error.failure;
  // Its token could not be had, or else its format cannot say what is asked.
  return error instanceof WeirError && /^provider_/.test(error.code) ? 'auth' : 'bad_request';
}

const isStream = ({ streams }: Translation, { headers }: WholeAnswer): boolean =>
  streams !== null && headers['content-type']?.toString().startsWith(streams.type) === true;

function readWhole(translation: Translation, heard: WholeAnswer): Work<WholeReply> {
  return isStream(translation, heard) ? translation.streams!.fold(heard.body) : translation.readWhole(heard.body, heard.headers);
}

/** @throws when it did not stream, though it was asked to. */
function* readStream(translation: Translation, heard: WholeAnswer): Work<StreamReader> {
  if (!isStream(translation, heard)) throw new Error('no stream');
  const reader = translation.streams!.read(Number.POSITIVE_INFINITY);
  yield* reader.push(heard.body);
  yield* reader.finish();
  return reader;
}

function callsTool(reply: WholeReply): boolean {
  const { choices } = JSON.parse(reply.render(NO_USAGE).toString()) as { choices: { message: { tool_calls?: unknown[] } }[] };
  return (choices[0]?.message.tool_calls?.length ?? 0) > 0;
}

function unexplored(chat: Finding, model: string | null, target: Target): ProbeReport {
  const ok = !HOPELESS.has(chat.class);
  return {
    ok,
    class: ok ? 'ok' : chat.class,
    latencyMs: chat.latencyMs,
    model,
    chat: null,
    streaming: null,
    tools: null,
    usage: null,
    embeddings: null,
    ...spentOn([chat], target),
  };
}

function spentOn(findings: Finding[], { price }: Target): Pick<ProbeReport, 'inputTokens' | 'outputTokens' | 'cost'> {
  const usages = findings.map(({ usage }) => usage ?? NO_USAGE);
  const sum = (tokens: (usage: Usage) => number) => usages.reduce((total, usage) => total + tokens(usage), 0);
  const costs = price && usages.map((usage) => costOf(usage, ratesFor(price, inputTotal(usage))));
  return {
    inputTokens: sum(inputTotal),
    outputTokens: sum(({ output }) => output),
    cost: costs?.reduce((total: Nano, cost) => total + cost, 0n) ?? null,
  };
}
