import type { JsonObject, Pdu, Signer } from '@causeway/matrix/events/pdu.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import type { PolicyAnswer, PolicyPort } from '../../rooms/policy/policy-port.ts'
import { POLICY_KEY_ID, type PolicyServer } from '../../rooms/policy/policy-server.ts'
import { FederationError, type FederationClient } from '../federation-client.ts'

/** Somebody waits for their event to be sent. */
const TIMEOUT_MS = 5_000
const MAX_BYTES = 64 * 1024
/** Asked at once of one server: others wait no longer than it may take to answer. */
const MAX_REASON = 300

/** Asks policy servers over federation. https://spec.matrix.org/v1.19/server-server-api/#post_matrixpolicyv1sign */
export function createPolicyPort(signer: Signer, client: () => FederationClient): PolicyPort {
  const figures = { signed: 0, refused: 0, unreachable: 0 }
  return {
    signer,
    figures,
    async ask(server, pdu, signal) {
      const answer = await ask(client(), server, pdu, signal)
      figures[answer.outcome]++
      return answer
    },
  }
}

async function ask(
  client: FederationClient,
  { name }: PolicyServer,
  pdu: Pdu,
  signal: AbortSignal | undefined,
): Promise<PolicyAnswer> {
  try {
    const answer = await client.request(name, {
      method: 'POST',
      path: '/_matrix/policy/v1/sign',
      body: pdu as unknown as JsonObject,
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_BYTES,
      ...(signal === undefined ? {} : { signal }),
    })
    const ofServer = Object.hasOwn(answer, name) ? answer[name] : undefined
    const signature = isJsonObject(ofServer) ? ofServer[POLICY_KEY_ID] : undefined
    if (typeof signature === 'string') return { outcome: 'signed', signature }
    return { outcome: 'refused', reason: 'it gives no signature' }
  } catch (error) {
    if (!(error instanceof FederationError))
      return { outcome: 'unreachable', reason: 'it was not asked to the end' }
    return answerOfFailure(error)
  }
}

/** Any error of the server's own is a refusal, but what passes by itself. */
function answerOfFailure({ failure }: FederationError): PolicyAnswer {
  if (failure.kind === 'malformed') return { outcome: 'unreachable', reason: 'its answer makes no sense' }
  if (failure.kind !== 'refused') return { outcome: 'unreachable', reason: 'it does not answer' }
  const { status, error, errcode } = failure
  const reason = (error ?? errcode ?? `it answers with status ${status}`).slice(0, MAX_REASON)
  return status >= 500 || status === 429 ? { outcome: 'unreachable', reason } : { outcome: 'refused', reason }
}
