#!/usr/bin/env node
// Stands in for Prisma's schema engine, a native program that `prisma migrate` downloads and closed networks refuse. This
// one speaks the same JSON-RPC on stdin and stdout, but runs the WebAssembly build of the engine from npm through pg.
//
//   PRISMA_SCHEMA_ENGINE_BINARY=test/support/schema-engine.mjs npx prisma migrate diff …
//
// It serves the commands that look (diff, status); it does not create databases.
import { randomUUID } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import * as engineBindings from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';

const argv = process.argv.slice(2);
const NO_DATABASE = 'postgresql://127.0.0.1/none';

if (argv.includes('--version')) {
  console.log(`schema-engine-cli ${engineVersion()}`);
} else {
  serve();
}

function serve() {
  let previous = Promise.resolve();
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    previous = previous.then(() => answer(JSON.parse(line)));
  });
  lines.on('close', () => previous.then(() => process.exit()));
}

async function answer({ id, method, params }) {
  if (!method) return; // the CLI's reply to a "print" of ours
  try {
    const engine = await theEngine();
    const called = method === 'getDatabaseVersion' ? 'version' : method;
    let result = await engine[called](params);
    if (method === 'diff' && result.stdout) {
      send({ id: `print-${id}`, method: 'print', params: { content: result.stdout } });
      result = { ...result, stdout: null };
    }
    send({ id, result: result ?? {} });
  } catch (error) {
    const data = { is_panic: false, message: error?.message ?? String(error), error_code: error?.code, meta: error?.meta };
    send({ id, error: { code: 4466, message: 'An error happened. Check the data field for details.', data } });
  }
}

function send(message) {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

// --- the engine

let engine;

function theEngine() {
  engine ??= startEngine();
  return engine;
}

function startEngine() {
  globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (message) => process.stderr.write(`${message}\n`) };
  const bindingsFile = fileURLToPath(import.meta.resolve('@prisma/schema-engine-wasm/schema_engine_bg'));
  const module = new WebAssembly.Module(readFileSync(bindingsFile.replace(/\.js$/, '.wasm')));
  const imports = Object.fromEntries(WebAssembly.Module.imports(module).map(({ module: name }) => [name, engineBindings]));
  const { exports } = new WebAssembly.Instance(module, imports);
  engineBindings.__wbg_set_wasm(exports);
  exports.__wbindgen_start();

  const { url = NO_DATABASE } = JSON.parse(options('--datasource')[0] ?? '{}');
  const datamodels = options('--datamodels').map((file) => [file, readFileSync(file, 'utf8')]);
  const factory = bindMigrationAwareSqlAdapterFactory(adapterFactory(url));
  return engineBindings.SchemaEngine.new({ datamodels: datamodels.length > 0 ? datamodels : undefined }, () => {}, factory);
}

function options(name) {
  return argv.flatMap((value, index) => (argv[index - 1] === name ? [value] : []));
}

function engineVersion() {
  const manifest = new URL('./package.json', import.meta.resolve('@prisma/schema-engine-wasm'));
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}

// --- the adapter to pg, with three repairs that the engine needs (seen in @prisma/adapter-pg 7.10)

function adapterFactory(url) {
  const { provider, adapterName } = new PrismaPg({ connectionString: url });
  return { provider, adapterName, connect: () => connect(url), connectToShadowDb: () => connectToShadowDatabase(url) };
}

async function connect(url) {
  const adapter = await new PrismaPg({ connectionString: url }).connect();
  executeScriptsWhole(adapter);
  mapInternalChar(adapter);
  return adapter;
}

/** Repair 1: the adapter splits scripts at every semicolon, also inside function bodies. */
function executeScriptsWhole(adapter) {
  adapter.executeScript = async (script) => {
    try {
      await adapter.client.query(script);
    } catch (error) {
      adapter.onError(error);
    }
  };
}

/** Repair 2: the catalogs' own type "char" is unknown to the adapter. It is read as text and presented as a character. */
function mapInternalChar(adapter) {
  const readAs = new Map([
    [18, { oid: 25, type: ColumnTypeEnum.Character }],
    [1002, { oid: 1009, type: ColumnTypeEnum.CharacterArray }],
  ]);
  const performIO = adapter.performIO.bind(adapter);
  const queryRaw = adapter.queryRaw;

  adapter.queryRaw = async (query) => {
    let oids = [];
    const readingText = Object.create(adapter, {
      performIO: {
        value: async (inner) => {
          const result = await performIO(inner);
          oids = result.fields.map((field) => field.dataTypeID);
          for (const field of result.fields) field.dataTypeID = readAs.get(field.dataTypeID)?.oid ?? field.dataTypeID;
          return result;
        },
      },
    });
    const result = await queryRaw.call(readingText, query);
    oids.forEach((oid, column) => {
      if (readAs.has(oid)) result.columnTypes[column] = readAs.get(oid).type;
    });
    return result;
  };
}

/** Repair 3: the adapter drops the shadow database before it has closed its own connections to it. */
async function connectToShadowDatabase(url) {
  const name = `prisma_migrate_shadow_db_${randomUUID()}`;
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  await admin.query(`create database "${name}"`);

  const shadowUrl = new URL(url);
  shadowUrl.pathname = `/${name}`;
  const adapter = await connect(shadowUrl.href);
  await adapter.executeScript(attachedFunctions());
  const dispose = adapter.dispose.bind(adapter);
  adapter.dispose = async () => {
    await dispose();
    await admin.query(`drop database if exists "${name}" with (force)`);
    await admin.end();
  };
  return adapter;
}

/** What migrations name, as a start makes it before them. */
function attachedFunctions() {
  const files = globSync(fileURLToPath(new URL('../../src/{*,platform/postgres}/sql/*.sql', import.meta.url)));
  const statements = files.flatMap((file) => readFileSync(file, 'utf8').split(/^(?=CREATE )/m));
  return `set check_function_bodies to off; ${statements.filter((text) => text.startsWith('CREATE OR REPLACE FUNCTION')).join('')}`;
}
