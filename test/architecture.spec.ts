import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import ts from 'typescript';

const ROOT = path.resolve(__dirname, '..');
const SRC = path.join(ROOT, 'src');

/** Who may import whom, besides itself and the ground (`platform`, `model-rules`, `kernel`). A new arrow is a new word here, for a reviewer to see. */
const MODULES: Readonly<Record<string, readonly string[]>> = {
  tenants: [],
  breakers: [],
  'api-keys': [],
  'audit-log': [],
  people: [],
  prices: [],
  models: [],
  ledger: [],
  calls: ['prices'],
  idempotency: [],
  approvals: ['ledger'], // of its scopes
  routes: [],
  sessions: [],
  dialects: [],
  providers: ['dialects'], // the names of wire formats only
  credentials: ['providers'],
  connections: ['providers'],
  routing: ['providers', 'prices', 'models', 'credentials', 'routes', 'quotas', 'dialects'], // of dialects the names only
  quotas: ['prices', 'ledger'],
  'provider-accounts': ['providers', 'credentials', 'connections', 'routing', 'tenants', 'dialects', 'prices', 'breakers'],
  'inference-local': ['api-keys'],
  'egress-rules': [],
  webhooks: [],
};
const EVERY_MODULE = Object.keys(MODULES);

/** Ways in. An entry point never imports another. */
const ENTRY_POINTS: Readonly<Record<string, readonly string[]>> = {
  gateway: [
    'api-keys',
    'routing',
    'quotas',
    'credentials',
    'connections',
    'dialects',
    'providers',
    'ledger',
    'calls',
    'prices',
    'idempotency',
    'approvals',
    'sessions',
    'breakers',
    'inference-local',
    'egress-rules',
  ],
  control: EVERY_MODULE.filter((name) => name !== 'dialects'),
  workers: [
    'quotas',
    'ledger',
    'calls',
    'prices',
    'credentials',
    'routing',
    'tenants',
    'idempotency',
    'approvals',
    'breakers',
    'inference-local',
    'provider-accounts',
    'api-keys',
    'audit-log',
    'webhooks',
  ],
  setup: EVERY_MODULE,
  ops: [],
};

/** The command is a client of the admin REST: it knows no module. */
const COMMAND = { 'cli.ts': ['cli'], cli: [] };
const COMPOSITION = { roles: [...Object.keys(ENTRY_POINTS), ...EVERY_MODULE], 'main.ts': ['roles'], 'audit.ts': ['roles'] };
const GROUND = { platform: [], 'model-rules': [], kernel: [] };
const MAP: Readonly<Record<string, readonly string[]>> = { ...COMMAND, ...COMPOSITION, ...ENTRY_POINTS, ...MODULES, ...GROUND };

/** What stands on less than the whole ground. */
const GROUND_OF: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  'model-rules': ['kernel'],
  platform: ['kernel'],
  dialects: ['kernel', 'model-rules'],
};

/** Packages that belong to one place. A pattern ends in `*`. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  undici: ['platform/egress/*'],
  pg: ['platform/*', 'roles/*', 'ops/*', '*.repository.ts'],
  '@prisma/*': ['platform/postgres/*'],
  bullmq: ['platform/queue/*'],
  nodemailer: ['platform/mail/*'],
  ioredis: ['platform/queue/*'],
  pino: ['platform/telemetry/*'],
  'prom-client': ['platform/telemetry/*'],
  '@opentelemetry/*': ['platform/telemetry/*'],
  '@pydantic/genai-prices': ['prices/*', 'models/*'],
  'gpt-tokenizer/*': ['gateway/tokenizers.ts'],
  '@nestjs/passport': ['control/*'],
  '@nestjs/swagger': ['control/*'],
  passport: ['control/*'],
  commander: ['cli/*'],
  cookie: ['control/http/*'],
  'openid-client': ['people/*'],
  'passport-custom': ['control/*'],
  'node:child_process': ['platform/postgres/embedded*'],
};

/** Where the Prisma client itself may be used. Others may name its types, to pass a transaction on. */
const PRISMA_USERS = ['*.repository.ts', 'platform/postgres/*', 'roles/platform.module.ts'];
const ENVIRONMENT_READERS = ['platform/config/*', 'main.ts', 'audit.ts', 'cli.ts'];
/** Words of the names of models, by their families. */
const FAMILY =
  /gpt|claude|opus|sonnet|haiku|gemini|gemma|llama(?!cpp)|mistral|mixtral|codestral|pixtral|qwen|qwq|deepseek|grok|command-|kimi|glm-|minimax(?!i)|hermes|granite|nemotron|nova-|titan|gpt-oss|\bo\[?\d|embed|rerank|whisper|dall-e|imagen|veo-|sonar/i;
/** A name as models have it: a family, and its version. */
const MODEL_NAME =
  /^(?:[\w.-]+\/)?(?:gpt|claude|opus|sonnet|haiku|gemini|gemma|llama|mistral|qwen|deepseek|grok|command|kimi|glm|nova|titan)-[\w.-]*\d[\w.-]*$/;
const NAMING_MODELS = [
  'model-rules/*',
  // The vendors' price lists, which name models.
  'prices/additions.ts',
  // The user agent of a coding agent.
  'gateway/agents.ts',
  'providers/mock/*',
];
const NETWORK = /^node:(http|https|http2|tls|dgram)$/;

interface Import {
  specifier: string;
  /** Erased by the compiler. */
  typeOnly: boolean;
  /** Names that exist at run time; `*` for all of a module. */
  values: string[];
}

interface Source {
  /** Relative to src, with forward slashes. */
  file: string;
  tree: ts.SourceFile;
  imports: Import[];
}

const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((file) => file.split(path.sep).join('/'))
  .filter((file) => file.endsWith('.ts') && !file.startsWith('platform/postgres/generated/'))
  .map(readSource);
/** What is shipped. */
const production = sources.filter(({ file }) => !file.endsWith('.spec.ts'));
const files = new Set(sources.map(({ file }) => file));
const sqlFiles = below('src').filter((file) => file.endsWith('.sql'));

test('every directory of src is on the map, and the map has no other', () => {
  const present = new Set(readdirSync(SRC));
  expect([...present].filter((name) => !(name in MAP))).toEqual([]);
  expect(Object.keys(MAP).filter((name) => !present.has(name))).toEqual([]);
});

test('imports follow the arrows', () => {
  const shared = ({ file, target }: { file: string; target: string }) => file.endsWith('.spec.ts') && target.startsWith('../test/support/');
  const strays = everyLocalImport().filter((entry) => entry.from !== entry.to && !mayImport(entry.from, entry.to) && !shared(entry));
  expect(strays.map(({ file, target }) => `${file} → ${target}`)).toEqual([]);
});

test('a module and an entry point are entered by their index only', () => {
  const back = everyLocalImport().filter(
    ({ from, to, target }) => from !== to && to !== 'kernel' && to !== 'platform' && to in MAP && target !== `${to}/index.ts`,
  );
  const roles = back.filter(({ file }) => file !== 'main.ts' && file !== 'audit.ts'); // roles have no face: nothing else may import them
  expect(roles.map(({ file, target }) => `${file} → ${target}`)).toEqual([]);
});

test('the parts of the platform are entered by their index only, from outside of it', () => {
  const back = everyLocalImport().filter(
    ({ from, to, target }) => to === 'platform' && from !== 'platform' && !/^platform\/[^/]+\/index\.ts$/.test(target),
  );
  expect(back.map(({ file, target }) => `${file} → ${target}`)).toEqual([]);
});

test('no file imports itself by a detour', () => {
  const targets = new Map(production.map(({ file, imports }) => [file, imports.flatMap((entry) => targetOf(file, entry.specifier) ?? [])]));
  expect(cyclesIn(targets)).toEqual([]);
});

test.each(Object.entries(PACKAGES))('the package %s is used in its own places only', (name, places) => {
  const wanted = (specifier: string) =>
    name.endsWith('*') ? specifier.startsWith(name.slice(0, -1)) : specifier === name || specifier.startsWith(`${name}/`);
  const users = production.filter(({ imports }) => imports.some(({ specifier }) => wanted(specifier)));
  expect(strangers(users, places)).toEqual([]);
});

test('the database client is used in repositories only', () => {
  const users = production.filter(({ file, imports }) =>
    imports.some(({ specifier, values }) => {
      const target = targetOf(file, specifier) ?? specifier;
      return (
        target.includes('postgres/generated') ||
        (target.startsWith('platform/postgres/') && values.some((name) => name === 'Prisma' || name === '*'))
      );
    }),
  );
  expect(strangers(users, PRISMA_USERS)).toEqual([]);
});

test('no row is read by findUnique, which joins what different requests ask at once, and so asks for one tenant as another', () => {
  const callers = production.filter(({ tree }) =>
    has(tree, (node) => ts.isPropertyAccessExpression(node) && /^findUnique(OrThrow)?$/.test(node.name.text)),
  );
  expect(strangers(callers, [])).toEqual([]);
});

test('only the configuration reads the environment', () => {
  const readers = production.filter(({ tree }) => has(tree, readsEnvironment));
  expect(strangers(readers, ENVIRONMENT_READERS)).toEqual([]);
});

test('only egress opens connections to the outside', () => {
  const callers = production.filter(({ tree, imports }) => {
    const network = imports.some(({ specifier, typeOnly }) => NETWORK.test(specifier) && !typeOnly);
    return network || has(tree, (node) => ts.isCallExpression(node) && /^(globalThis\.)?fetch$/.test(node.expression.getText(tree)));
  });
  // The command calls a Weir. The others look only whether OpenSSL takes a certificate, and which authorities this machine knows.
  const others = ['cli/client.ts', 'platform/config/tls-files.ts', 'platform/postgres/address.ts'];
  expect(strangers(callers, ['platform/egress/*', ...others])).toEqual([]);
});

test('wire formats are pure: they import nothing but each other, the ground below them and what computes', () => {
  const allowed = /^(\.|node:crypto$|node:zlib$)/;
  const impure = production.filter(
    ({ file, imports }) => file.startsWith('dialects/') && imports.some(({ specifier }) => !allowed.test(specifier)),
  );
  expect(impure.map(({ file }) => file)).toEqual([]);
});

test('the rules of models are data: they import nothing but the kernel', () => {
  const strays = production.filter(
    ({ file, imports }) => file.startsWith('model-rules/') && imports.some(({ specifier }) => !specifier.startsWith('.')),
  );
  expect(strays.map(({ file }) => file)).toEqual([]);
});

test('only the rules of models match the name of a model', () => {
  const found = production.flatMap(({ file, tree }) =>
    find(tree, (node): node is ts.Node => matchesModel(node)).map((node) => ({ file, node })),
  );
  const strays = found.filter(({ file }) => !NAMING_MODELS.some((place) => isIn(file, place)));
  expect(strays.map(({ file, node }) => `${file}: ${node.getText()}`)).toEqual([]);
});

test('the kernel knows no framework and does no I/O', () => {
  const allowed = /^(\.|node:crypto$)/;
  const strays = production.filter(
    ({ file, imports }) => file.startsWith('kernel/') && imports.some(({ specifier }) => !allowed.test(specifier)),
  );
  expect(strays.map(({ file }) => file)).toEqual([]);
});

test('only the admin API declares controllers', () => {
  const declaring = production.filter(({ tree }) => has(tree, (node) => ts.isDecorator(node) && /^@Controller\b/.test(node.getText(tree))));
  expect(strangers(declaring, ['control/*'])).toEqual([]);
});

test('no class is called a Provider, which is the word of the framework', () => {
  const named = production.flatMap(({ file, tree }) =>
    find(tree, ts.isClassDeclaration).flatMap((node) => (node.name?.text.endsWith('Provider') ? [`${file}: ${node.name.text}`] : [])),
  );
  expect(named).toEqual([]);
});

test('SQL functions stand in the modules that own them: no migration and no code makes one', () => {
  const makes = /CREATE\s+(OR\s+REPLACE\s+)?FUNCTION/i;
  const migrations = below('prisma').filter((file) => /CREATE.*FUNCTION/i.test(readFileSync(path.join(ROOT, file), 'utf8')));
  expect(migrations).toEqual([]);
  // What it says is the name of a role, which each installation has its own of.
  const code = production.filter(({ tree }) =>
    has(tree, (node) => (ts.isTemplateLiteral(node) || ts.isStringLiteral(node)) && makes.test(node.getText(tree))),
  );
  expect(strangers(code, ['platform/postgres/rights.ts'])).toEqual([]);
  const strays = sqlFiles.filter((file) => !/^src\/([a-z-]+|platform\/postgres)\/sql\/[a-z-]+\.sql$/.test(file));
  expect(strays).toEqual([]);
});

test('code calls an SQL function by the name of its own version', () => {
  const versioned = sqlFiles.flatMap((file) =>
    [...readFileSync(path.join(ROOT, file), 'utf8').matchAll(/^CREATE FUNCTION (\w+)/gm)].map(([, name]) => name!),
  );
  expect(versioned).toContain('hold_batch');
  const plain = new RegExp(`\\b(${versioned.join('|')})\\(`);
  expect(production.filter(({ tree }) => plain.test(tree.text)).map(({ file }) => file)).toEqual([]);
});

test('files and directories are named in kebab-case, with a role after a dot', () => {
  const name = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*$/;
  expect([...files].filter((file) => !file.split('/').every((part) => name.test(part)))).toEqual([]);
});

test('the documents name files that exist', () => {
  const lost = documents().flatMap((file) =>
    namedIn(file)
      .filter((name) => !existsSync(path.join(ROOT, name)))
      .map((name) => `${file}: ${name}`),
  );
  expect(lost).toEqual([]);
});

test('the documents link to headings that exist', () => {
  const lost = documents().flatMap((file) =>
    anchorsNamedIn(file)
      .filter(([target, anchor]) => target.endsWith('.md') && !anchorsOf(target).includes(anchor))
      .map(([target, anchor]) => `${file}: ${target}#${anchor}`),
  );
  expect(lost).toEqual([]);
});

test('a newcomer reads the README in ten minutes', () => {
  expect(readFileSync(path.join(ROOT, 'README.md'), 'utf8').split(/\s+/).length).toBeLessThanOrEqual(1_200);
});

// --- the documents

function documents(): string[] {
  return [...readdirSync(ROOT), ...below('docs'), ...below('src')].filter((file) => file.endsWith('.md'));
}

/** The files below a directory, as paths from the root. */
function below(directory: string): string[] {
  return readdirSync(path.join(ROOT, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'));
}

/** The headings of a document, as links name them. */
const anchorsOf = (file: string): string[] =>
  [...readFileSync(path.join(ROOT, file), 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-'),
  );

/** The headings that a document links to, with the document they should be in. */
function anchorsNamedIn(file: string): [target: string, anchor: string][] {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  return [...text.matchAll(/\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)/g)].map(([, link, anchor]) => [
    link ? path.posix.join(path.posix.dirname(file), link) : file,
    anchor!,
  ]);
}

/** What a document links to, and the paths it writes as code. Names with a placeholder are left out. */
function namedIn(file: string): string[] {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link]) => path.posix.join(path.posix.dirname(file), link!));
  const paths = [...text.matchAll(/`((?:src|test|prisma|scripts|bench|docs|deploy)\/[^`\s:]*)`/g)].map(([, name]) => name!);
  return [...links, ...paths].filter((name) => !/[<*…]/.test(name));
}

// --- reading the sources

function readSource(file: string): Source {
  const tree = ts.createSourceFile(file, readFileSync(path.join(SRC, file), 'utf8'), ts.ScriptTarget.Latest, true);
  return {
    file,
    tree,
    imports: [
      ...find(tree, ts.isImportDeclaration).map(importOf),
      ...find(tree, ts.isExportDeclaration).flatMap(exportOf),
      ...dynamicImports(tree),
    ],
  };
}

function importOf({ moduleSpecifier, importClause }: ts.ImportDeclaration): Import {
  const names = importClause?.namedBindings;
  const typeOnly = importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
  const named =
    names && ts.isNamedImports(names)
      ? names.elements.filter((name) => !name.isTypeOnly).map((name) => (name.propertyName ?? name.name).text)
      : [];
  const whole = !importClause || importClause.name || (names && ts.isNamespaceImport(names)) ? ['*'] : [];
  const values = typeOnly ? [] : [...whole, ...named];
  return { specifier: textOf(moduleSpecifier), typeOnly: values.length === 0, values };
}

function exportOf({ moduleSpecifier, exportClause, isTypeOnly }: ts.ExportDeclaration): Import[] {
  if (!moduleSpecifier) return [];
  const named =
    exportClause && ts.isNamedExports(exportClause)
      ? exportClause.elements.filter((name) => !name.isTypeOnly).map((name) => (name.propertyName ?? name.name).text)
      : ['*'];
  const values = isTypeOnly ? [] : named;
  return [{ specifier: textOf(moduleSpecifier), typeOnly: values.length === 0, values }];
}

/** `import('…')` and `require('…')`. */
function dynamicImports(tree: ts.SourceFile): Import[] {
  return find(tree, ts.isCallExpression).flatMap(({ expression, arguments: [first] }) => {
    const loads = expression.kind === ts.SyntaxKind.ImportKeyword || expression.getText(tree) === 'require';
    return loads && first ? [{ specifier: textOf(first), typeOnly: false, values: ['*'] }] : [];
  });
}

/** What a module is called; Node's own always with `node:`. */
function textOf(specifier: ts.Expression): string {
  const text = ts.isStringLiteralLike(specifier) ? specifier.text : '';
  return isBuiltin(text) && !text.startsWith('node:') ? `node:${text}` : text;
}

function find<Node extends ts.Node>(tree: ts.SourceFile, is: (node: ts.Node) => node is Node): Node[] {
  const found: Node[] = [];
  const visit = (node: ts.Node): void => {
    if (is(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

const has = (tree: ts.SourceFile, is: (node: ts.Node) => boolean): boolean => find(tree, (node): node is ts.Node => is(node)).length > 0;

/** A pattern or a comparison with a family in it, or a name of a model that stands by itself. */
function matchesModel(node: ts.Node): boolean {
  if (ts.isRegularExpressionLiteral(node)) return FAMILY.test(node.text);
  if (!ts.isStringLiteralLike(node)) return false;
  const { parent } = node;
  const isSought =
    ts.isCallExpression(parent) &&
    ts.isPropertyAccessExpression(parent.expression) &&
    /^(?:includes|startsWith|endsWith|indexOf|lastIndexOf|match|search|split)$/.test(parent.expression.name.text);
  return (isSought && FAMILY.test(node.text)) || MODEL_NAME.test(node.text);
}

/** `process.env`, `process['env']`, `const { env } = process` */
function readsEnvironment(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return isProcess(node.expression) && node.name.text === 'env';
  if (ts.isElementAccessExpression(node)) return isProcess(node.expression);
  return (
    ts.isVariableDeclaration(node) && ts.isObjectBindingPattern(node.name) && node.initializer !== undefined && isProcess(node.initializer)
  );
}

const isProcess = (node: ts.Node): boolean => ts.isIdentifier(node) && node.text === 'process';

// --- the map

const roomOf = (file: string): string => file.split('/')[0]!;

/** The file of ours that a specifier names; null when it is a package's. */
function targetOf(file: string, specifier: string): string | null {
  if (!specifier.startsWith('.')) return null;
  return path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '.ts');
}

function everyLocalImport(): { file: string; from: string; to: string; target: string }[] {
  return sources.flatMap(({ file, imports }) =>
    imports.flatMap(({ specifier }) => {
      const target = targetOf(file, specifier);
      return target === null ? [] : [{ file, from: roomOf(file), to: roomOf(target), target }];
    }),
  );
}

function mayImport(from: string, to: string): boolean {
  return to in GROUND ? (GROUND_OF[from] ?? Object.keys(GROUND)).includes(to) : MAP[from]?.includes(to) === true;
}

function strangers(users: Source[], places: readonly string[]): string[] {
  return users.map(({ file }) => file).filter((file) => !places.some((place) => isIn(file, place)));
}

/** `ops/*` and `*.repository.ts`: one star, at an end. */
function isIn(file: string, place: string): boolean {
  if (place.startsWith('*')) return file.endsWith(place.slice(1));
  return place.endsWith('*') ? file.startsWith(place.slice(0, -1)) : file === place;
}

function cyclesIn(targets: Map<string, string[]>): string[] {
  const cycles: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const walk = (file: string, trail: string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      cycles.push([...trail.slice(trail.indexOf(file)), file].join(' → '));
      return;
    }
    state.set(file, 'open');
    for (const target of targets.get(file) ?? []) walk(target, [...trail, file]);
    state.set(file, 'done');
  };
  for (const file of targets.keys()) walk(file, []);
  return cycles;
}
