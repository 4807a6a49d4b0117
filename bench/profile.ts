import { readFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { setTimeout as delay } from 'node:timers/promises';

const TOP = 25;
const TOP_PLACES = 15;
const SAMPLE_MICROS = 200;

/** Lets a Node process be profiled: arguments for its start. */
export const INSPECT = ['--inspect=127.0.0.1:0'];

/** Takes a CPU profile of a process that was started with {@link INSPECT}, while `work` runs. */
export async function profile(log: string, work: () => Promise<void>): Promise<Profiler.Profile> {
  const session = await connect(await inspectorUrl(log));
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_MICROS });
  await session.post('Profiler.start');
  await work();
  const { profile } = (await session.post('Profiler.stop')) as Profiler.StopReturnType;
  session.close();
  return profile;
}

/** Node says it on stderr. */
async function inspectorUrl(log: string): Promise<string> {
  for (;;) {
    const url = /ws:\/\/\S+/.exec(readFileSync(log, 'utf8'));
    if (url) return url[0];
    await delay(20);
  }
}

async function connect(url: string) {
  const socket = new WebSocket(url);
  const waiting = new Map<number, (result: unknown) => void>();
  let lastId = 0;
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(data as string) as { id?: number; result: unknown };
    if (id !== undefined) waiting.get(id)?.(result);
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', reject);
  });
  const post = (method: string, params: object = {}) =>
    new Promise<unknown>((resolve) => {
      waiting.set(++lastId, resolve);
      socket.send(JSON.stringify({ id: lastId, method, params }));
    });
  return { post, close: () => socket.close() };
}

/** Where the time of each call goes: the functions and the places with the most time of their own, in µs per call. */
export function profileTable(profile: Profiler.Profile, calls: number): string {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const byFunction = new Map<string, number>();
  const byPlace = new Map<string, number>();
  profile.samples!.forEach((id, index) => {
    const { functionName, url, lineNumber } = nodes.get(id)!;
    const micros = profile.timeDeltas![index]!;
    if (functionName === '(idle)') return;
    const place = placeOf(url, functionName);
    add(byFunction, `${(functionName || '(anonymous)').padEnd(32)} ${url ? `${shorten(url)}:${lineNumber + 1}` : ''}`, micros);
    add(byPlace, place, micros);
  });
  const total = [...byPlace.values()].reduce((sum, micros) => sum + micros, 0);
  return [
    `JSON call, profiled: ${(total / calls).toFixed(1)} µs per call over ${calls} calls`,
    '',
    ...topOf(byPlace, TOP_PLACES, calls, total),
    '',
    ...topOf(byFunction, TOP, calls, total),
  ].join('\n');
}

const add = (sums: Map<string, number>, key: string, micros: number): unknown => sums.set(key, (sums.get(key) ?? 0) + micros);

function topOf(sums: Map<string, number>, count: number, calls: number, total: number): string[] {
  const sorted = [...sums].sort(([, a], [, b]) => b - a).slice(0, count);
  return sorted.map(
    ([name, micros]) =>
      `  ${(micros / calls).toFixed(2).padStart(7)} µs ${((100 * micros) / total).toFixed(1).padStart(5)} %  ${name.trimEnd()}`,
  );
}

/** A package, a module of ours, Node's own library, or the engine. */
function placeOf(url: string, functionName: string): string {
  if (url === '') return functionName.startsWith('(') && functionName !== '(anonymous)' ? functionName : '(native)';
  if (url.startsWith('node:')) return url.replace(/^(node:(internal\/)?[^/]+).*/, '$1');
  const [, name] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url) ?? [];
  return name ?? shorten(url).split('/').slice(0, 2).join('/');
}

const shorten = (url: string): string => url.replace(/^.*\/node_modules\//, '').replace(/^.*\/dist\//, 'weir/');
