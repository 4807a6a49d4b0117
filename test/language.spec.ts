import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { ROOT } from './support/process.js';

/** The words of docs/glossary.md and no others, in American spelling. What is retired must not come back, in code or in texts. */

const files = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' })
  .split('\0')
  .filter((file) => /\.(ts|mjs|cjs|md|sql|ya?ml|prisma)$/.test(file))
  .filter((file) => !/generated\/|docs\/decisions\/|test\/language\.spec\.ts|package-lock/.test(file));

const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');

/** The retired word, what to write instead, and where it is somebody else's word. */
const RETIRED: readonly [RegExp, string, RegExp?][] = [
  [/\brooms\b|\b(an?|each|every|another) room\b/gi, 'module'],
  [/\bdoors?\b/gi, 'entry point'],
  [/\bmend(s|ed|ing)?\b/gi, 'fix'],
  [/road of a call/gi, 'request lifecycle'],
  [/\bwall(s|ed)?\b|wall_off/gi, 'tenant isolation', /wall.?clock/i],
  [/\bseats?\b/gi, 'subscription login', /\bseats?: |'seats?'|seats"|#\/\$defs\/seat/],
  [/\bstraighten/gi, 'normalize'],
  [/\bin the place of\b/gi, 'instead of'],
  [/\bMOST_|\bLEAST_/g, 'MAX_ or MIN_'],
  [/catalogue/gi, 'catalog', /prices\/catalogue|price_catalogue|'catalogue'|`catalogue`/],
  [/authoris|normalis|initialis|recognis|serialis|summaris|organis(?!m)|optimis(?!tic)|customis|synchronis/gi, 'the American spelling'],
  [/\b(behaviour|colour|favour|honour|labelled|judgement|artefact|neighbour|licence)/gi, 'the American spelling'],
];

test('no retired word is in the tree', () => {
  const found: string[] = [];
  for (const file of files)
    for (const [index, line] of read(file).split('\n').entries())
      for (const [word, instead, allowed] of RETIRED)
        for (const [match] of line.matchAll(word))
          if (!allowed?.test(line)) found.push(`${file}:${index + 1}: "${match}": write ${instead}`);
  expect(found).toEqual([]);
});

/** Odd English in what a person reads: errors, OpenAPI, log lines, start-up messages. */
const ODD =
  /\b(of its own|by itself|all the same|whoever|is to be|are to be|must be a text|stands? twice|is in trouble|trying on|Somebody|nobody came|lest|hence|thereof)\b/;
const NOT_SHOWN = /\.spec\.ts$|generated\/|src\/dialects\/|src\/providers\/mock\//;

test('no text that a person reads has odd English', () => {
  const found: string[] = [];
  for (const file of files.filter((name) => name.startsWith('src/') && name.endsWith('.ts') && !NOT_SHOWN.test(name))) {
    const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
    const look = (node: ts.Node): void => {
      if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
        const match = ODD.exec(node.text);
        if (match) found.push(`${file}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}: "${match[0]}"`);
      }
      ts.forEachChild(node, look);
    };
    look(source);
  }
  expect(found).toEqual([]);
});
