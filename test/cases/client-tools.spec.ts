import { REPLY_FORMATS, type ReplyFormat } from '../support/tool-replies.js';
import { answer } from '../support/upstream.js';
import { caseRig, type Outcome, readCase } from './support/case-rig.js';

const rig = caseRig();

const USAGE = { input: 9, cacheRead: 0, output: 12 };

/** The names of the tools that a provider was offered, in the body of any format. */
const offered = ({ sent }: Outcome): string[] =>
  [...JSON.stringify(sent?.body['tools'] ?? sent?.body['toolConfig'] ?? []).matchAll(/"name":"([^"]+)"/g)].map(([, name]) => name!);

describe('reported cases', () => {
  test.each(['gemini', 'bedrock', 'custom', 'ollama'])('a namespace of tools reaches %s', async (type) => {
    const seen = await rig.run(readCase(`codex-namespace-tools-${type}`));
    expect([seen.status, offered(seen), seen.warnings]).toEqual([200, ['mcp__notes__read_note'], '']);
  });

  test.each(['anthropic', 'custom'])('tools that an item of the input brings reach %s', async (type) => {
    const seen = await rig.run(readCase(`codex-additional-tools-${type}`));
    expect([seen.status, offered(seen), seen.warnings]).toEqual([200, ['functions__exec', 'functions__wait'], '']);
  });

  test('a search for tools that the client runs is offered', async () => {
    const seen = await rig.run(readCase('codex-tool-search-client'));
    expect([seen.status, offered(seen), seen.warnings]).toEqual([200, ['tool_search'], '']);
  });

  test('a tool that Anthropic defined and the client runs is offered', async () => {
    const seen = await rig.run(readCase('messages-client-typed-tools'));
    expect([seen.status, offered(seen), seen.warnings]).toEqual([200, ['bash'], '']);
  });
});

const FORMATS: ReplyFormat[] = Object.values(REPLY_FORMATS).filter(({ dialect }) => dialect !== 'openai-responses');
const typeOf = ({ type, dialect }: ReplyFormat): string => (type === 'openai' ? `openai (dialect: ${dialect})` : type);

const FUNCTION = { type: 'function', name: 'read', parameters: { type: 'object', properties: { id: { type: 'string' } } } };

/** A tool of each kind that a client of Responses runs: how it is offered, how a model calls it, and what the client has to get and sends back. */
const KINDS = {
  'a function': {
    tools: [FUNCTION],
    called: { name: 'read', arguments: { id: 'x' } },
    item: { type: 'function_call', name: 'read', arguments: '{"id":"x"}' },
    result: { type: 'function_call_output', output: 'done' },
  },
  'a function in a namespace': {
    tools: [{ type: 'namespace', name: 'mcp__notes', description: 'Notes', tools: [FUNCTION] }],
    called: { name: 'mcp__notes__read', arguments: { id: 'x' } },
    item: { type: 'function_call', name: 'read', namespace: 'mcp__notes', arguments: '{"id":"x"}' },
    result: { type: 'function_call_output', output: 'done' },
  },
  'a function in a namespace that ends in underscores': {
    tools: [{ type: 'namespace', name: 'mcp__notes__', description: 'Notes', tools: [FUNCTION] }],
    called: { name: 'mcp__notes__read', arguments: { id: 'x' } },
    item: { type: 'function_call', name: 'read', namespace: 'mcp__notes__', arguments: '{"id":"x"}' },
    result: { type: 'function_call_output', output: 'done' },
  },
  'a function of a name that a plain one has too': {
    tools: [
      { type: 'namespace', name: 'a', description: '', tools: [FUNCTION] },
      { ...FUNCTION, name: 'a__read' },
    ],
    called: { name: 'a__read_2', arguments: { id: 'x' } },
    item: { type: 'function_call', name: 'read', namespace: 'a', arguments: '{"id":"x"}' },
    result: { type: 'function_call_output', output: 'done' },
  },
  'a custom tool': {
    tools: [
      { type: 'custom', name: 'exec', description: 'Runs code', format: { type: 'grammar', syntax: 'lark', definition: 'start: "x"' } },
    ],
    called: { name: 'exec', arguments: { input: 'ls -l' } },
    item: { type: 'custom_tool_call', name: 'exec', input: 'ls -l' },
    result: { type: 'custom_tool_call_output', output: 'done' },
  },
  'a custom tool in a namespace': {
    tools: [{ type: 'namespace', name: 'functions', description: 'x', tools: [{ type: 'custom', name: 'exec' }] }],
    called: { name: 'functions__exec', arguments: { input: 'ls -l' } },
    item: { type: 'custom_tool_call', name: 'exec', namespace: 'functions', input: 'ls -l' },
    result: { type: 'custom_tool_call_output', output: 'done' },
  },
  'a search for tools': {
    tools: [{ type: 'tool_search', execution: 'client', description: 'Finds tools' }],
    called: { name: 'tool_search', arguments: { query: 'notes' } },
    item: { type: 'tool_search_call', execution: 'client', arguments: { query: 'notes' } },
    result: { type: 'tool_search_output', execution: 'client', tools: [{ type: 'namespace', name: 'mcp__notes', tools: [FUNCTION] }] },
  },
  'a local shell': {
    tools: [{ type: 'local_shell' }],
    called: { name: 'local_shell', arguments: { command: ['ls', '-l'], timeout_ms: 5 } },
    item: { type: 'local_shell_call', action: { type: 'exec', command: ['ls', '-l'], timeout_ms: 5, env: {} } },
    result: { type: 'local_shell_call_output', output: 'done' },
  },
  'a shell': {
    tools: [{ type: 'shell', environment: { type: 'local' } }],
    called: { name: 'shell', arguments: { commands: ['ls -l'] } },
    item: { type: 'shell_call', action: { commands: ['ls -l'] } },
    result: { type: 'shell_call_output', output: [{ stdout: 'done', stderr: '', outcome: { type: 'exit', exit_code: 0 } }] },
  },
  'a patch': {
    tools: [{ type: 'apply_patch' }],
    called: { name: 'apply_patch', arguments: { type: 'delete_file', path: 'a.txt' } },
    item: { type: 'apply_patch_call', operation: { type: 'delete_file', path: 'a.txt' } },
    result: { type: 'apply_patch_call_output', status: 'completed', output: 'done' },
  },
} as const;

const HELLO = { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hi' }] };

describe.each(FORMATS.map((format) => [format.dialect, format] as const))('over %s', (_dialect, format) => {
  const ask = (body: object, script = format.says({ text: 'ok', usage: USAGE })) =>
    rig.send('/v1/responses', typeOf(format), format.model, body, script);

  test.each(Object.entries(KINDS).flatMap(([name, kind]) => [[name, 'whole', kind] as const, [name, 'streamed', kind] as const]))(
    'a call of %s comes back in its own form, %s, and goes on with its result',
    async (_name, form, { tools, called, item, result }) => {
      const calls = [{ id: 'call_1', ...called }];
      const seen = await ask({ input: [HELLO], tools, stream: form === 'streamed' }, format.says({ calls, usage: USAGE }));
      expect([seen.status, seen.warnings]).toEqual([200, '']);
      expect(offered(seen)).toContain(called.name);
      const response = form === 'whole' ? seen.body : seen.events.at(-1).response;
      const output = response.output.filter(({ type }: { type: string }) => type !== 'reasoning');
      expect(output).toEqual([
        expect.objectContaining({ ...item, ...('action' in item && { action: expect.objectContaining(item.action) }) }),
      ]);
      if (form === 'streamed')
        expect(seen.events.filter(({ type }) => type === 'response.output_item.done').at(-1).item).toEqual(output[0]);

      const [call] = output;
      const next = await ask({ input: [HELLO, ...response.output, { ...result, call_id: call.call_id }], tools });
      expect([next.status, next.warnings]).toEqual([200, '']);
      const heard = format.hears(next.sent!.body);
      expect(heard.calls).toEqual([expect.objectContaining({ name: called.name, arguments: expect.objectContaining(called.arguments) })]);
      expect(heard.results).toEqual([
        expect.objectContaining({ text: expect.stringContaining(result.type === 'tool_search_output' ? 'mcp__notes__read' : 'done') }),
      ]);
      if (result.type === 'tool_search_output') expect(offered(next)).toEqual(['tool_search', 'mcp__notes__read']);
    },
  );

  test('a model that calls a tool by its bare name means the one in the namespace', async () => {
    const tools = KINDS['a function in a namespace'].tools;
    const calls = [{ id: 'call_1', name: 'read', arguments: {} }];
    const { body } = await ask({ input: [HELLO], tools }, format.says({ calls, usage: USAGE }));
    expect(body.output).toContainEqual(expect.objectContaining({ type: 'function_call', name: 'read', namespace: 'mcp__notes' }));
  });

  test.each([
    ['a tool of a namespace', { type: 'function', name: 'read', namespace: 'mcp__notes' }],
    ['a namespace', { type: 'allowed_tools', mode: 'required', tools: [{ type: 'namespace', name: 'mcp__notes' }] }],
  ])('a choice of %s is kept', async (_what, tool_choice) => {
    const tools = [...KINDS['a function in a namespace'].tools, FUNCTION];
    const seen = await ask({ input: [HELLO], tools, tool_choice });
    expect(seen.status).toBe(200);
    // A format that cannot name several is offered no others.
    const { tool_choice: chosen, toolConfig } = seen.sent!.body;
    expect(JSON.stringify([chosen, toolConfig]).includes('mcp__notes__read') || offered(seen).join() === 'mcp__notes__read').toBe(true);
  });

  test('a namespace within a namespace is refused by its place', async () => {
    const inner = { type: 'namespace', name: 'b', tools: [FUNCTION] };
    const { status, body } = await ask({ input: [HELLO], tools: [{ type: 'namespace', name: 'a', tools: [inner] }] });
    expect([status, body.error.param]).toEqual([400, 'tools[0].tools[0].type']);
  });

  test('a tool that is defined twice is offered once, as it was defined last', async () => {
    const again = { type: 'additional_tools', role: 'developer', tools: [{ ...FUNCTION, description: 'the last' }] };
    const seen = await ask({ input: [again, HELLO], tools: [FUNCTION] });
    expect(offered(seen)).toEqual(['read']);
    expect(JSON.stringify(seen.sent!.body)).toContain('the last');
  });

  test('a tool that the provider would run is left out beside others, and refused alone or chosen', async () => {
    const beside = await ask({ input: [HELLO], tools: [{ type: 'web_search' }, FUNCTION] });
    expect([beside.status, offered(beside)]).toEqual([200, ['read']]);
    expect(beside.warnings).toContain('web_search');
    for (const body of [
      { tools: [{ type: 'web_search' }] },
      { tools: [{ type: 'web_search' }, FUNCTION], tool_choice: { type: 'web_search' } },
    ]) {
      const { status, body: refusal, sent } = await ask({ input: [HELLO], ...body });
      expect([status, refusal.error.message.includes('web_search'), sent]).toEqual([400, true, undefined]);
    }
  });
});

const CUSTOM = { type: 'custom', custom: { name: 'exec', description: 'Runs code' } };

describe.each(FORMATS.filter(({ dialect }) => dialect !== 'openai-chat').map((format) => [format.dialect, format] as const))(
  'chat over %s',
  (_dialect, format) => {
    const ask = (body: object, script = format.says({ text: 'ok', usage: USAGE })) =>
      rig.send('/v1/chat/completions', typeOf(format), format.model, body, script);
    const messages = [{ role: 'user', content: 'Hi' }];
    const calls = [{ id: 'call_1', name: 'exec', arguments: { input: 'ls' } }];

    test.each([false, true])('a custom tool is called as one, streamed: %s', async (stream) => {
      const seen = await ask({ messages, tools: [CUSTOM], stream }, format.says({ calls, usage: USAGE }));
      expect([seen.status, offered(seen)]).toEqual([200, ['exec']]);
      const deltas = seen.events.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
      if (stream) {
        expect(deltas[0]).toMatchObject({ index: 0, type: 'custom', custom: { name: 'exec' } });
        expect(deltas.map(({ custom }: { custom: { input: string } }) => custom.input).join('')).toBe('ls');
        return;
      }
      const [choice] = seen.body.choices;
      expect(choice.message.tool_calls).toEqual([expect.objectContaining({ type: 'custom', custom: { name: 'exec', input: 'ls' } })]);
      const { id } = choice.message.tool_calls[0];
      const next = await ask({
        messages: [...messages, choice.message, { role: 'tool', tool_call_id: id, content: 'done' }],
        tools: [CUSTOM],
      });
      expect(next.status).toBe(200);
      expect(format.hears(next.sent!.body)).toMatchObject({
        calls: [{ name: 'exec', arguments: { input: 'ls' } }],
        results: [{ text: 'done' }],
      });
    });

    test.each([
      ['web_search_options', { web_search_options: {} }],
      ['modalities', { modalities: ['text', 'audio'], audio: { voice: 'alloy', format: 'wav' } }],
    ])('%s that the provider cannot do is refused', async (param, field) => {
      const { status, body, sent } = await ask({ messages, ...field });
      expect([status, body.error.param, sent]).toEqual([400, param, undefined]);
    });

    test.each([false, true])('a client that offers functions is told of a function call, streamed: %s', async (stream) => {
      const functions = [{ name: 'exec', parameters: { type: 'object' } }];
      const seen = await ask({ messages, functions, stream }, format.says({ calls, usage: USAGE }));
      if (!stream) {
        expect(seen.body.choices[0]).toMatchObject({ finish_reason: 'function_call', message: { function_call: { name: 'exec' } } });
        expect(seen.body.choices[0].message).not.toHaveProperty('tool_calls');
        return;
      }
      const deltas = seen.events.flatMap(({ choices }) => choices[0]?.delta.function_call ?? []);
      expect(deltas[0].name).toBe('exec');
      expect(JSON.parse(deltas.map((piece: { arguments: string }) => piece.arguments).join(''))).toEqual({ input: 'ls' });
      expect(seen.events.at(-1).choices.at(0)?.finish_reason ?? seen.events.at(-2).choices[0].finish_reason).toBe('function_call');
    });
  },
);

const TYPED = ['bash_20250124', 'text_editor_20250728', 'memory_20250818', 'computer_20251124'];

describe.each(FORMATS.filter(({ dialect }) => dialect !== 'anthropic-messages').map((format) => [format.dialect, format] as const))(
  'Messages over %s',
  (_dialect, format) => {
    test.each(TYPED)('%s is offered as a function', async (type) => {
      const name = type.startsWith('text_editor') ? 'str_replace_based_edit_tool' : type.split('_')[0]!;
      const body = { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 50, tools: [{ type, name }] };
      const calls = [{ id: 'call_1', name, arguments: { command: 'view', path: '/a' } }];
      const seen = await rig.send('/v1/messages', typeOf(format), format.model, body, format.says({ calls, usage: USAGE }));
      expect([seen.status, offered(seen), seen.warnings]).toEqual([200, [name], '']);
      expect(seen.body.content).toContainEqual(expect.objectContaining({ type: 'tool_use', name, input: { command: 'view', path: '/a' } }));
    });

    test('a tool that Anthropic runs is left out beside others, and refused alone', async () => {
      const search = { type: 'web_search_20250305', name: 'web_search' };
      const body = { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 50 };
      const send = (tools: object[]) =>
        rig.send('/v1/messages', typeOf(format), format.model, { ...body, tools }, format.says({ text: 'ok', usage: USAGE }));
      const beside = await send([search, { type: TYPED[0], name: 'bash' }]);
      expect([beside.status, offered(beside), beside.warnings.includes('web_search')]).toEqual([200, ['bash'], true]);
      const alone = await send([search]);
      expect([alone.status, alone.body.error.message.includes('web_search'), alone.sent]).toEqual([400, true, undefined]);
    });
  },
);

test('tools whose schemas Weir writes are part of the hold', async () => {
  const tools = Array.from({ length: 8 }, (_, index) => ({
    type: 'namespace',
    name: `n${index}`,
    tools: [{ type: 'custom', name: 'exec' }],
  }));
  const sent = await rig.send('/v1/responses', 'custom', 'm1', { input: 'Hi', tools, max_output_tokens: 16 }, answer());
  const { rows } = await rig.weir.db.query(
    `SELECT (context ->> 'input_tokens')::int AS guess, amount::bigint AS held FROM holds ORDER BY created_at DESC LIMIT 1`,
  );
  expect(sent.status).toBe(200);
  // $1 per million tokens, in billionths: no tokenizer makes more tokens of the request than it has bytes.
  expect(Number(rows[0].held)).toBeGreaterThanOrEqual(JSON.stringify(sent.sent!.body).length * 1_000);
});
