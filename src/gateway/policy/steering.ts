import { WeirError } from '../../kernel/errors.js';
import type { Target } from '../../routing/index.js';
import { type Place, pathOf, type Visit } from './walk.js';

/** Names of fields without case, `_` and `-`. */
type Names = readonly string[];

/**
 * Says where a request goes, as whom, and where to next. Read by gateways, and by servers that call others in turn. Facts as of 2026-11, from the
 * documentation of each.
 */
const TRANSPORT: Names = [
  // LiteLLM, and what clients of many libraries write.
  ...[
    'apibase',
    'apibaseurl',
    'apiurl',
    'apihost',
    'apikey',
    'apikeys',
    'apitype',
    'apiversion',
    'baseurl',
    'endpointurl',
    'customendpoint',
  ],
  ...[
    'extraheaders',
    'extraquery',
    'defaultheaders',
    'defaultquery',
    'organization',
    'proxies',
    'proxy',
    'proxyurl',
    'httpproxy',
    'httpsproxy',
  ],
  ...['httpclient', 'sslverify', 'fallbacks', 'contextwindowfallbacks', 'contentpolicyfallbacks', 'defaultfallbacks', 'modellist'],
  ...[
    'customllmprovider',
    'litellmparams',
    'litellmcredentialname',
    'routersettingsoverride',
    'mockresponse',
    'configurableclientsideauthparams',
  ],
  // Clouds.
  ...['azureendpoint', 'azureadtoken', 'clientsecret', 'vertexproject', 'vertexlocation', 'vertexcredentials', 'vertexaiproject'],
  ...[
    'vertexailocation',
    'vertexaicredentials',
    'awsaccesskeyid',
    'awssecretaccesskey',
    'awssessiontoken',
    'awsregionname',
    'awsprofilename',
  ],
  ...['awsrolename', 'awswebidentitytoken', 'awsstsendpoint', 'awsbedrockruntimeendpoint'],
  // Portkey, Helicone.
  ...['virtualkey', 'customhost', 'targeturl'],
];

/** Says which model answers, through whom, or what else is asked beside it. */
const CHOICE: Names = [
  // OpenRouter, Vercel and gateways like them.
  ...[
    'models',
    'route',
    'plugins',
    'provider',
    'providers',
    'provideroptions',
    'preset',
    'fallback',
    'fallbackmodel',
    'fallbackmodels',
    'routing',
  ],
  // Azure, and OpenAI's older form.
  ...['engine', 'deployment', 'deploymentid', 'deploymentname', 'datasources', 'enhancements'],
  // Bedrock.
  ...['guardrailconfig', 'amazonbedrockguardrailconfig', 'guardrails', 'promptvariables', 'performanceconfig'],
  ...['additionalmodelrequestfields', 'additionalmodelresponsefieldpaths', 'requestmetadata'],
  // Mistral, Together, servers of one's own.
  ...['agentid', 'safetymodel', 'draftmodel', 'lora', 'lorarequest', 'lorapath', 'loraadapters', 'adapterid'],
];

/** Of one type of provider only: elsewhere the word means something else. */
const BY_TYPE: Readonly<Record<string, Names>> = {
  'google-vertex-ai': ['labels'],
  gemini: ['labels'],
  portkey: ['config', 'configs', 'targets', 'strategy'],
  litellm: ['tags', 'ttl', 'cache', 'numretries'],
};

const ANYWHERE = new Set(TRANSPORT);
const CHOOSING = new Set(CHOICE);
const CHOOSING_BY_TYPE = new Map(Object.entries(BY_TYPE).map(([type, names]) => [type, new Set(names)]));

/**
 * Where a call goes and which model answers is the configuration's to say: a field that says otherwise would pass by budgets, limits, prices and
 * the models of a key.
 * The visit throws WeirError invalid_request naming the field.
 */
export function refusingSteering({ type }: Pick<Target, 'type'>): Visit {
  const ofType = CHOOSING_BY_TYPE.get(type);
  return (name, value, place) => {
    if (value === null || value === undefined) return;
    if (ANYWHERE.has(name)) throw steers(place);
    if (place.inConversation) return;
    // The one at the top is the reference that was resolved.
    const isOtherModel = name === 'model' && place.parent !== null && typeof value === 'string';
    if (isOtherModel || CHOOSING.has(name) || ofType?.has(name)) throw steers(place);
  };
}

function steers(place: Place): WeirError {
  const param = pathOf(place);
  return new WeirError('invalid_request', {
    param,
    message: `"${param}" says where a request goes or which model answers, and that is not a request's to say. Leave it out, and name the model in "model"; an admin configures providers.`,
  });
}
