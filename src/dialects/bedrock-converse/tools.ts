import type { BedrockModel, BedrockRules } from '../../model-rules/index.js';
import type { Conversation, Tool, ToolChoice, Turn } from '../canonical.js';
import { claudeInputSchema, claudeSchema } from '../families/claude-schema.js';
import type { ToolNames } from '../kit/tool-names.js';
import { type Block, cachePoint } from './blocks.js';

/** What a request says of tools. */
export interface RenderedTools {
  /** Null: nothing. */
  toolConfig: Block | null;
  /** Claude's own field, which alone can ask for one call at a time. */
  claudeToolChoice: Block | null;
  warnings: string[];
}

export interface ToolCircumstances {
  model: BedrockModel;
  names: ToolNames;
  /** False: the model refuses to be made to call a tool. */
  mayForce: boolean;
  /** The tool that stands for structured output. Null: none. */
  outputTool: Tool | null;
}

/** Writes the tools and their choice. */
export function renderTools(conversation: Conversation, circumstances: ToolCircumstances): RenderedTools {
  const { model, names, outputTool } = circumstances;
  const { rules } = model;
  const warnings: string[] = [];
  const choice = conversation.toolChoice;
  const offered = [...offeredTools(conversation, rules), ...(outputTool ? [outputTool] : [])];
  const tools = offered.length > 0 ? offered : toolsOfHistory(conversation.turns);
  if (tools.length === 0) return { toolConfig: null, claudeToolChoice: null, warnings };
  if (choice?.type === 'none' && outputTool === null)
    warnings.push('The conversation holds tool calls, so the tools were sent in spite of "tool_choice": "none".');
  const toolChoice = offered.length > 0 ? renderChoice(choice, conversation.tools.length > 0, circumstances, warnings) : null;
  const toolConfig = { tools: tools.flatMap((tool) => renderTool(tool, rules, names, warnings)), ...(toolChoice && { toolChoice }) };
  return { toolConfig, claudeToolChoice: oneAtATime(conversation, toolConfig, model, warnings), warnings };
}

/** The tools the model may call now. Bedrock wants them named also where it may not, when the conversation holds calls. */
function offeredTools({ tools, toolChoice, turns }: Conversation, { toolChoice: most }: BedrockRules): Tool[] {
  switch (toolChoice?.type) {
    case 'none':
      return toolsOfHistory(turns).length > 0 ? tools : [];
    case 'allowed':
      return tools.filter(({ name }) => toolChoice.names.includes(name));
    case 'tool':
      // With no other tool there, any is the one.
      return most === 'any' ? tools.filter(({ name }) => name === toolChoice.name) : tools;
    default:
      return tools;
  }
}

/** Calls in the conversation are refused without a list of tools: one is made of their names. */
function toolsOfHistory(turns: readonly Turn[]): Tool[] {
  const calls = turns.flatMap((turn) => (turn.role === 'assistant' ? turn.parts : [])).filter((part) => part.type === 'tool_call');
  const names = new Set(calls.map(({ name }) => name));
  return [...names].map((name) => ({ name, description: 'A tool used earlier in this conversation.', parameters: null, strict: null }));
}

function renderTool(tool: Tool, rules: BedrockRules, names: ToolNames, warnings: string[]): Block[] {
  const strict = tool.strict === true && rules.strictTools && tool.parameters ? claudeSchema(tool.parameters) : null;
  if (tool.strict === true && strict === null)
    warnings.push(`"strict" of the tool "${tool.name}" is not supported by this model and was left out.`);
  const { schema, told } = claudeInputSchema(strict ?? tool.parameters);
  const description = [tool.description, told].filter(Boolean).join('\n\n');
  const spec: Block = { name: names.sent(tool.name) };
  if (description !== '') spec['description'] = description;
  spec['inputSchema'] = { json: schema };
  if (strict) spec['strict'] = true;
  return [{ toolSpec: spec }, ...(tool.cache && rules.cachePoints.tools ? [cachePoint(tool.cache)] : [])];
}

function renderChoice(
  choice: ToolChoice | null,
  realTools: boolean,
  { model: { rules }, names, mayForce, outputTool }: ToolCircumstances,
  warnings: string[],
): Block | null {
  const most = mayForce ? rules.toolChoice : rules.toolChoice === 'nothing' ? 'nothing' : 'auto';
  const auto = most === 'nothing' ? null : { auto: {} };
  const any = { any: {} };
  if (outputTool)
    return realTools && choice?.type !== 'none' ? any : most === 'named' ? { tool: { name: names.sent(outputTool.name) } } : any;
  if (choice === null || choice.type === 'none') return null;
  const forced = choice.type === 'required' || choice.type === 'tool' || (choice.type === 'allowed' && choice.required);
  if (!forced) return auto;
  if (most === 'named') return choice.type === 'tool' ? { tool: { name: names.sent(choice.name) } } : any;
  if (most === 'any') return any;
  warnings.push('This model cannot be made to call a tool, so it was left to decide itself.');
  return auto;
}

/** Converse has no word for it; Claude takes it in its own field, which must name a choice only where `toolConfig` names none. */
function oneAtATime(conversation: Conversation, toolConfig: Block, { vendor }: BedrockModel, warnings: string[]): Block | null {
  if (conversation.parallelToolCalls !== false || conversation.tools.length === 0) return null;
  if (vendor !== 'anthropic') {
    warnings.push('"parallel_tool_calls": false is not supported by this model and was left out.');
    return null;
  }
  return { ...('toolChoice' in toolConfig ? {} : { type: 'auto' }), disable_parallel_tool_use: true };
}
