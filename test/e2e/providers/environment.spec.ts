import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../../src/platform/config/index.js';
import { startWeir } from '../../../src/roles/weir.js';
import { createDatabase, openPool } from '../../support/database.js';
import { admin } from '../../support/weir.js';

const home = mkdtempSync(join(tmpdir(), 'weir-test-'));
let database: Awaited<ReturnType<typeof createDatabase>>;
let operatorKey: string;

beforeAll(async () => {
  database = await createDatabase();
});

afterAll(async () => {
  await database.drop();
  rmSync(home, { recursive: true, force: true });
});

/** The platform's credentials after a start with these variables. */
async function startedWith(variables: Record<string, string>): Promise<object[]> {
  const config = readConfig(
    {
      DATABASE_URL: database.url,
      WEIR_HOME: home,
      WEIR_ROLES: 'control',
      WEIR_ADMIN_PORT: '0',
      WEIR_MASTER_KEY: 'test master key, at least 32 characters',
      WEIR_LOG_LEVEL: 'silent',
      ...variables,
    },
    home,
  );
  const weir = await startWeir(config);
  operatorKey ??= weir.start!.operatorKey!;
  const { data } = await admin<{ data: object[] }>(weir, operatorKey, 'GET', '/v1/platform/credentials');
  await weir.stop(1_000);
  return data;
}

test('keys of AWS become a credential for Bedrock in their region, which moves with them and is destroyed when they are gone', async () => {
  const keys = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'aws/secret' };
  const at = (region: string, has_key = true) => [
    expect.objectContaining({ provider: 'bedrock', base_url: `https://bedrock-runtime.${region}.amazonaws.com`, has_key }),
  ];
  expect(await startedWith(keys)).toEqual(at('us-east-1'));
  expect(await startedWith({ ...keys, AWS_REGION: 'eu-west-1' })).toEqual(at('eu-west-1'));
  expect(await startedWith({})).toEqual(at('eu-west-1', false));
});

test('a deployment of Azure becomes what the bare name stands for, for as long as it is named', async () => {
  const azure = {
    AZURE_OPENAI_ENDPOINT: 'https://ours.openai.azure.com',
    AZURE_OPENAI_API_KEY: 'k',
    AZURE_OPENAI_API_VERSION: '2024-10-21',
  };
  const db = openPool(database.url);
  const deployment = async (variables: Record<string, string>) => {
    const base_url = 'https://ours.openai.azure.com/openai?api-version=2024-10-21';
    expect(await startedWith(variables)).toContainEqual(expect.objectContaining({ provider: 'azure-openai', base_url }));
    return (await db.query("SELECT default_model FROM providers WHERE name = 'azure-openai'")).rows;
  };
  expect(await deployment({ ...azure, AZURE_OPENAI_DEPLOYMENT: 'ours' })).toEqual([{ default_model: 'ours' }]);
  expect(await deployment(azure)).toEqual([{ default_model: null }]);
  await db.end();
});

test('a variable that cannot be meant stops the start with a line that names it', async () => {
  await expect(startedWith({ AZURE_OPENAI_ENDPOINT: 'ours', AZURE_OPENAI_API_KEY: 'k' })).rejects.toThrow(
    /^AZURE_OPENAI_ENDPOINT must be a URL/,
  );
  await expect(startedWith({ AWS_CONTAINER_CREDENTIALS_FULL_URI: '169.254.170.23' })).rejects.toThrow(
    /^AWS_CONTAINER_CREDENTIALS_FULL_URI must be a URL/,
  );
});
