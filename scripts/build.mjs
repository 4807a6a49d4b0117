// Compiles src into dist, file by file and without looking at types: `npm run check` does that. What is no TypeScript, such as SQL, is copied.
// Removes what it made before and no longer makes. Needs the pinned Node and node_modules.
//
//   node scripts/build.mjs [--crash-points]
//
// Without --crash-points the faults that tests inject are left out.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
const { options, errors } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, noEmit: false, sourceMap: true }, '.');
/** Tests, notes, vectors of tests, and the types of the Prisma client. */
const UNUSED = /\.spec\.ts$|\.md$|-vectors\.json$|\.stamp$|generated\/(models|commonInputTypes|browser|internal\/prismaNamespaceBrowser)\b/;
const LIST = 'dist/.files.json';

const withCrashPoints = process.argv.includes('--crash-points');

const sources = readdirSync('src', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => path.relative('src', path.join(entry.parentPath, entry.name)))
  .filter((file) => !UNUSED.test(file) && (withCrashPoints || file !== 'platform/faults/index.ts'));

const made = sources.flatMap((file) => (file.endsWith('.ts') ? compile(file) : copy(file)));
const before = existsSync(LIST) ? JSON.parse(readFileSync(LIST, 'utf8')) : [];
for (const file of before) if (!made.includes(file)) rmSync(file, { force: true });
writeFileSync(LIST, JSON.stringify(made));

if (errors.length > 0) {
  process.stderr.write(
    `${ts.formatDiagnostics(errors, { getCanonicalFileName: String, getCurrentDirectory: process.cwd, getNewLine: () => '\n' })}`,
  );
  process.exitCode = 1;
}

function compile(file) {
  const target = path.join('dist', file.replace(/\.ts$/, '.js'));
  const source = path.relative(path.dirname(target), path.join('src', file));
  const { outputText, sourceMapText, diagnostics } = ts.transpileModule(readFileSync(path.join('src', file), 'utf8'), {
    fileName: path.join('src', file),
    compilerOptions: options,
    reportDiagnostics: true,
    transformers: { before: withCrashPoints ? [] : [withoutCrashPoints] },
  });
  errors.push(...diagnostics);
  const map = JSON.parse(sourceMapText);
  map.sources = [source.split(path.sep).join('/')];
  write(target, outputText);
  write(`${target}.map`, JSON.stringify(map));
  return [target, `${target}.map`];
}

/** Leaves out the import of fault injection and every statement that calls it. */
function withoutCrashPoints(context) {
  const isInjection = (node) =>
    (ts.isImportDeclaration(node) && node.moduleSpecifier.text.endsWith('/faults/index.js')) ||
    (ts.isExpressionStatement(node) &&
      ts.isCallExpression(node.expression) &&
      /^(crashPoint|crashOnceSent|crashAfter|armCrash)$/.test(node.expression.expression.getText?.() ?? ''));
  const isFlag = (node) => ts.isVariableDeclaration(node) && node.name.text === 'HAS_CRASH_POINTS';
  const visit = (node) => {
    if (isInjection(node)) return ts.isImportDeclaration(node) ? undefined : context.factory.createEmptyStatement();
    if (isFlag(node))
      return context.factory.updateVariableDeclaration(node, node.name, undefined, undefined, context.factory.createFalse());
    return ts.visitEachChild(node, visit, context);
  };
  return (source) => (source.fileName.endsWith('faults/index.ts') ? source : ts.visitNode(source, visit));
}

function copy(file) {
  const target = path.join('dist', file);
  mkdirSync(path.dirname(target), { recursive: true });
  copyFileSync(path.join('src', file), target);
  return [target];
}

function write(file, text) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}
