import type { Command } from 'commander';
import { UsageFailure } from './failure.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What may follow after the words of a command. */
interface Choices {
  /** Nouns and verbs, with blanks between them. */
  readonly words: string;
  readonly commands: readonly string[];
  readonly flags: readonly string[];
}

/** A script that knows all commands and flags, so that completing asks nobody. @throws UsageFailure for another shell. */
export function completionScript(program: Command, shell: string): string {
  if (!SHELLS.includes(shell as Shell)) throw new UsageFailure(`${shell} is no shell that is known: write ${SHELLS.join(', ')}`);
  const choices = choicesOf(program, '', flagsOf(program));
  return { bash, zsh, fish }[shell as Shell](choices);
}

const flagsOf = (command: Command): string[] => command.options.filter(({ hidden }) => !hidden).map(({ long }) => long!);

function choicesOf(command: Command, words: string, shared: readonly string[]): Choices[] {
  const below = command.commands.flatMap((one) => choicesOf(one, `${words} ${one.name()}`.trim(), shared));
  // The longest comes first: a pattern ends where arguments begin.
  return [
    ...below,
    { words, commands: command.commands.map((one) => one.name()), flags: words === '' ? shared : [...flagsOf(command), ...shared] },
  ];
}

const cases = (choices: readonly Choices[], indent: string): string =>
  choices
    .map(
      ({ words, commands, flags }) =>
        `${indent}${words === '' ? '""' : `"${words}"${commands.length > 0 ? '' : '*'}`}) choices="${[...commands, ...flags].join(' ')}" ;;`,
    )
    .join('\n');

const bash = (
  choices: readonly Choices[],
): string => `# weir completion bash > /etc/bash_completion.d/weir, or: source <(weir completion bash)
_weir() {
  local word words="" choices=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) words="$words $word" ;; esac
  done
  case "\${words# }" in
${cases(choices, '    ')}
  esac
  COMPREPLY=($(compgen -W "$choices" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _weir weir
`;

const zsh = (choices: readonly Choices[]): string => `#compdef weir
# weir completion zsh > "\${fpath[1]}/_weir", or: source <(weir completion zsh)
_weir() {
  local given choices=""
  given="\${(j: :)\${(@)words[2,CURRENT-1]:#-*}}"
  case "$given" in
${cases(choices, '    ')}
  esac
  compadd -- \${=choices}
}
if [ "$funcstack[1]" = "_weir" ]; then _weir; else compdef _weir weir; fi
`;

const fish = (choices: readonly Choices[]): string => `# weir completion fish > ~/.config/fish/completions/weir.fish
function __weir_is
    set -l given (commandline -opc | string match -v -- '-*')
    set -l wanted $argv
    test "$given[2..]" = "$wanted"; or test "$argv[-1]" = '*'; and string match -q -- "$argv[1..-2]*" "$given[2..]"
end
complete -c weir -f
${choices
  .map(({ words, commands, flags }) => {
    const at = words === '' || commands.length > 0 ? `__weir_is ${words}` : `__weir_is ${words} '*'`;
    const lines = [
      `complete -c weir -n "${at.trim()}" -a '${commands.join(' ')}'`,
      ...flags.map((flag) => `complete -c weir -n "${at.trim()}" -l ${flag.slice(2)}`),
    ];
    return lines.slice(commands.length > 0 ? 0 : 1).join('\n');
  })
  .join('\n')}
`;
