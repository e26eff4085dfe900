import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { canonicalJsonWithout } from '@causeway/matrix/json/canonical.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { sha256 } from '../../crypto/sha256.ts'
import type { Homeserver } from '../../homeserver.ts'
import type { Session } from '../../http/endpoint.ts'
import { UiaChallenge, type UiaOffer } from './challenge.ts'
import type { UiaSession, UiaStage } from './sessions.ts'
import { runStage } from './stages.ts'

/** An operation that has to be confirmed, and the request that asks for it. */
export interface UiaRequest extends UiaOffer {
  /** The operation and what it acts on: a session for one device is none for another. */
  readonly operation: string
  readonly session: Session | undefined
  /** The whole body; `auth` in it is what this is about. */
  readonly body: JsonObject
  readonly ip: string
}

/** What the completed stages proved. */
export interface UiaProof {
  get(stage: UiaStage): JsonValue | undefined
  /** A proof turned out to be worth nothing: the stage has to be completed anew. */
  revoke(stage: UiaStage, message: string): Error
}

type Deps = Pick<Homeserver, 'db' | 'clock' | 'serverName' | 'accounts'>

/**
 * Runs an operation once the client has completed a flow; until then throws the 401 that says what is to be
 * done. The same request sent again gets the same answer. A session is good for one request, by one person.
 * https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
 */
export async function withUia(
  hs: Deps,
  request: UiaRequest,
  run: (proof: UiaProof) => Promise<JsonObject>,
): Promise<JsonObject> {
  const { operation, body } = request
  const { uia } = hs.accounts
  const userId = request.session?.userId ?? ''
  const { auth } = body
  if (!isJsonObject(auth)) throw new UiaChallenge(request, uia.begin(operation, userId))
  const named = auth['session']
  const session =
    typeof named === 'string' ? uia.find(named, operation, userId) : uia.begin(operation, userId)
  if (session === undefined) {
    throw new UiaChallenge(request, uia.begin(operation, userId), {
      errcode: 'M_FORBIDDEN',
      message: 'This session is not known (any more); here is a new one',
    })
  }
  const hash = sha256(canonicalJsonWithout(body, ['auth'], false))
  if (session.outcome === undefined) {
    await advance(hs, request, session, { auth, hash })
  }
  return answer(request, session, hash, run)
}

function isComplete({ flows }: UiaOffer, { completed }: UiaSession): boolean {
  return flows.some((stages) => stages.every((stage) => completed.has(stage)))
}

/** Completes the stage that the request names. Throws the challenge while a flow is not complete. */
async function advance(
  hs: Deps,
  request: UiaRequest,
  session: UiaSession,
  { auth, hash }: { readonly auth: JsonObject; readonly hash: string },
): Promise<void> {
  const { type } = auth
  if (typeof type === 'string') {
    const stage = request.flows.flat().find((one) => one === type)
    if (stage === undefined) {
      const failure = {
        errcode: 'M_UNRECOGNIZED',
        message: `This is not confirmed by ${type.slice(0, 100)}`,
      } as const
      throw new UiaChallenge(request, session, failure)
    }
    if (!session.completed.has(stage)) {
      const result = await runStage(hs, stage, auth, {
        operation: session.operation,
        userId: session.userId,
        ip: request.ip,
      })
      if (!result.ok) throw new UiaChallenge(request, session, result.failure)
      session.request ??= hash
      session.completed.set(stage, result.proof)
    }
  }
  if (!isComplete(request, session)) throw new UiaChallenge(request, session)
}

function answer(
  request: UiaRequest,
  session: UiaSession,
  hash: string,
  run: (proof: UiaProof) => Promise<JsonObject>,
): Promise<JsonObject> {
  // Who is logged in confirms this very request. Who registers may still choose another name.
  const bound = session.outcome?.request ?? (session.userId === '' ? hash : session.request)
  if (bound !== hash) {
    throw new UiaChallenge(request, session, {
      errcode: 'M_FORBIDDEN',
      message: 'This session was for another request; begin again without auth',
    })
  }
  if (session.outcome !== undefined) return session.outcome.answer
  const proof: UiaProof = {
    get: (stage) => session.completed.get(stage),
    revoke: (stage, message) => {
      session.completed.delete(stage)
      return new UiaChallenge(request, session, { errcode: 'M_UNAUTHORIZED', message })
    },
  }
  const running = run(proof)
  session.outcome = { request: hash, answer: running }
  // A refusal is no result: the client may try again.
  running.catch(() => (session.outcome = undefined))
  return running
}
