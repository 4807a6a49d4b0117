import type { Client, Json, Query } from './client.js';
import { PLATFORM, type Row } from './commands.js';
import { EXIT, Failure, UsageFailure } from './failure.js';
import { FLAGS, fieldOf, readFlag, readJson } from './flags.js';

const ID = /^[a-z]+_[0-9a-f]{32}$/;
const ALL = 10_000;

/** What a person gave, by the names of flags. */
export type Given = Readonly<Record<string, string | boolean>>;

export const methodOf = ({ call }: Row): string => call.split(' ')[0]!;
export const pathOf = ({ call }: Row): string => call.split(' ')[1]!;
/** The names in braces that are arguments. */
export const argumentsOf = (row: Row): string[] =>
  [...pathOf(row).matchAll(/\{(\w+)\}/g)].map(([, name]) => name!).filter((name) => !(name === 'project_id' && inProject(row)));
/** Whether it is about what belongs to a project, which a flag names. */
export const inProject = (row: Row): boolean => pathOf(row).includes('{project_id}/api_keys');
export const platformPathOf = (row: Row): string | null => {
  const base = Object.keys(PLATFORM).find((path) => pathOf(row) === path || pathOf(row).startsWith(`${path}/`));
  return base === undefined ? null : pathOf(row).replace(base, PLATFORM[base]!);
};

export interface Names {
  readonly name: string;
  readonly isRequired: boolean;
}

export const namesOf = (words = ''): Names[] =>
  words
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => ({ name: word.replace('!', ''), isRequired: word.endsWith('!') }));

/** The path, with ids for names. */
export async function placeOf(row: Row, words: readonly string[], given: Given, client: Client): Promise<string> {
  const isPlatform = given['platform'] === true || Object.keys(given).some((name) => FLAGS[name]?.platform);
  let path = (isPlatform ? platformPathOf(row) : null) ?? pathOf(row);
  if (inProject(row)) path = path.replace('{project_id}', await projectOf(client, given['project'] as string | undefined));
  for (const word of words) {
    const collection = path.slice(0, path.indexOf('/{'));
    path = path.replace(/\{\w+\}/, encodeURIComponent(await idOf(client, collection, word)));
  }
  return path;
}

/** The body or the query: the fields of the flags, over those of `--body`. */
export function fieldsOf(row: Row, given: Given, env: NodeJS.ProcessEnv): Record<string, unknown> {
  const body = given['body'];
  const base = typeof body === 'string' ? readJson(body, '--body') : {};
  if (!(base instanceof Object) || Array.isArray(base)) throw new UsageFailure('--body is no JSON object');
  const names = namesOf(`${row.args ?? ''} ${row.flags ?? ''}`);
  const fields = names
    .filter(({ name }) => given[name] !== undefined)
    .map(({ name }) => [fieldOf(name), readFlag(name, given[name]!, env)]);
  const all = { ...base, ...Object.fromEntries(fields) } as Record<string, unknown>;
  const missing = names.filter(({ name, isRequired }) => isRequired && all[fieldOf(name)] === undefined);
  if (missing.length > 0)
    throw new UsageFailure(
      `missing: ${missing.map(({ name }) => `--${name} (${FLAGS[name]!.does})`).join(', ')}`,
      `weir ${row.command} --help`,
    );
  return all;
}

/** The id of what has this name, this external id or this email address. An id is taken as it is. */
async function idOf(client: Client, collection: string, word: string): Promise<string> {
  if (ID.test(word)) return word;
  const found = new Set<string>();
  for await (const item of client.list(collection, {}, ALL)) {
    // Calls and the like have no names.
    if (!('name' in item) && !('email' in item) && !('external_id' in item)) break;
    if ([item['name'], item['external_id'], item['email']].includes(word) && !isOver(item)) found.add(String(item['id']));
  }
  const [id, other] = found;
  if (id === undefined) throw new Failure(`there is no "${word}" in ${collection}`, EXIT.notFound);
  if (other !== undefined) throw new Failure(`"${word}" means ${[...found].join(' and ')}: write the id`, EXIT.conflict);
  return id;
}

const isOver = (item: Json): boolean => Boolean(item['revoked_at'] ?? item['archived_at'] ?? item['accepted_at']);

/** The project that is meant, or the only one there is. */
async function projectOf(client: Client, word: string | undefined): Promise<string> {
  const path = '/v1/organization/projects';
  if (word !== undefined) return idOf(client, path, word);
  const projects = await collect(client, path, {}, ALL);
  const open = projects.items.filter((item) => !isOver(item));
  if (open.length === 1) return String(open[0]!['id']);
  throw new UsageFailure(`which project? Say --project with one of: ${open.map((item) => item['name']).join(', ')}`, 'weir project list');
}

export async function collect(client: Client, path: string, query: Query, limit: number): Promise<{ items: Json[]; hasMore: boolean }> {
  const items: Json[] = [];
  const pages = client.list(path, query, limit);
  for (;;) {
    const { value, done } = await pages.next();
    if (done) return { items, hasMore: value.hasMore };
    items.push(value);
  }
}
