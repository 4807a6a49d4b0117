import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { ableModel } from '../support/able-model.js';
import { formatRig } from '../support/format-rig.js';
import { testsIfThere } from '../support/needs.js';
import { pythonWith } from '../support/python.js';
import { REPLY_FORMATS } from '../support/tool-replies.js';

jest.setTimeout(600_000);

const FOLDER = join(__dirname, 'langchain');
const PYTEST = ['-m', 'pytest', '-q', '--tb=line', '-rfE', '-p', 'no:cacheprovider', '-W', 'ignore'];
const ASYNC = ['-o', 'asyncio_mode=auto', '-o', 'asyncio_default_test_loop_scope=session'];
/** Each of the clients' own formats; all that there are, where asked for. */
const FORMATS = Object.entries(REPLY_FORMATS).filter(
  ([name]) => process.env['LANGCHAIN_FORMATS'] === 'all' || ['chat', 'messages', 'responses'].includes(name),
);

const python = pythonWith(join(FOLDER, 'requirements.txt'));
const rig = formatRig();

testsIfThere('a Python with LangChain', python !== null).test(
  "LangChain's own tests of chat models pass with its clients for OpenAI and Anthropic",
  async () => {
    rig.upstream.script = ableModel;
    const models = FORMATS.map(([name, { model }]) => `${name}=${model}`).join(',');
    const env = {
      ...process.env,
      // Beside the packages, and not among the sources.
      PYTHONPYCACHEPREFIX: join(python!, '../../pycache'),
      WEIR_URL: rig.weir.publicUrl,
      WEIR_KEY: rig.tenant.apiKey,
      WEIR_MODELS: models,
    };
    // What is not about answers of a form is the same for both ways to ask for them.
    const which = ['-k', 'not FunctionCalling or structured_output', join(FOLDER, 'conformance.py')];
    const output = await new Promise<string>((resolve) => {
      execFile(python!, [...PYTEST, ...ASYNC, ...which], { env, maxBuffer: 2 ** 26 }, (_error, stdout, stderr) => resolve(stdout + stderr));
    });
    expect(output.match(/^(?:FAILED|ERROR|E ).*$/gm) ?? []).toEqual([]);
    expect(Number(/(\d+) passed/.exec(output)?.[1] ?? output)).toBeGreaterThan(100 * FORMATS.length);
  },
);
