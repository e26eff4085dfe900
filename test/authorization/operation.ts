import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { AnyEndpoint } from '../../packages/homeserver/http/endpoint.ts'
import type { DispatchRequest, DispatchResponse } from '../../packages/homeserver/http/dispatch.ts'
import { TEST_PASSWORD, type TestLogin } from '../../packages/homeserver/test-server.ts'
import { OTHER_DEVICE, SECRET, type Owner } from './people.ts'

/** Who asks: their name is what they confirm with their password. */
export type Asker = TestLogin & { readonly name: string }

/** The parts of a request that are not the same for every operation. */
export interface Asked {
  /** Parameters of the path that differ from what `of` has. */
  readonly path?: Readonly<Record<string, string>>
  readonly query?: string
  readonly body?: JsonObject | Uint8Array
}

/**
 * What an operation's answer to somebody has to be: `200`, or a status with its errcode such as `403 M_FORBIDDEN`.
 * `own` is a 200 about whoever asks, and nothing else; `public` one that everybody may have by the specification.
 */
export type Expected = string

/** What the specification has one operation answer to whom. */
export interface Operation {
  /** Whom the specification lets in: `security` of the OpenAPI; `admin` and `appservice` by its prose. */
  readonly door: 'none' | 'optional' | 'user' | 'admin' | 'appservice'
  /** Where our door is narrower or wider than `security`, why. */
  readonly differs?: string
  /** A request of `by` about what `of` has; they are the same where somebody asks about their own. */
  readonly ask?: (of: Owner, by: Asker) => Asked
  /** To a request without a token, where the door is open. Default: anything but a question for one. */
  readonly nobody?: Expected
  /** To whoever has it. Default: 200. */
  readonly owner?: Expected
  /**
   * What whoever asks has less of afterwards: part of something, which is asked for after all that takes nothing; the
   * whole of it, which comes then; or the account or its session, which is one made for it.
   */
  readonly spends?: 'part' | 'whole' | 'account'
  /** To somebody else with an account. Absent where the door keeps them out or nobody is asked. */
  readonly stranger?: Expected
  /** To who was in the room and was banned; default as `stranger`. */
  readonly banned?: Expected
  /**
   * Whether a suspended account may do it: what the specification lists in "Account suspension", reading, and what
   * the client needs for them. Default: reading alone.
   */
  readonly suspended?: 'may' | 'may not'
}

export type OperationTable = Readonly<Record<string, Operation>>

/** Staged confirmation by one's own password. */
export const confirm = ({ name }: Asker): JsonObject => ({
  auth: {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: name },
    password: TEST_PASSWORD,
  },
})

let transactions = 0

function pathValues(of: Owner): Record<string, string> {
  transactions += 1
  return {
    userId: of.userId,
    roomId: of.roomId,
    roomIdOrAlias: of.roomId,
    roomAlias: of.alias,
    eventId: of.eventId,
    deviceId: OTHER_DEVICE,
    filterId: of.filterId,
    version: of.version,
    serverName: 'test.example',
    mediaId: of.mediaId,
    fileName: 'picture.png',
    sessionId: 'session',
    type: 'org.example.private',
    eventType: 'm.room.message',
    stateKey: '',
    relType: 'm.thread',
    receiptType: 'm.read',
    tag: `u.${SECRET}`,
    kind: 'content',
    ruleId: 'org.example.rule',
    keyName: 'displayname',
    protocol: 'irc',
    networkId: 'irc',
    appserviceId: 'hub',
    grant: 'made-up',
    delayId: of.delayId,
    txnId: `t${transactions}`,
  }
}

/** The request that an operation's entry describes, on one of its paths. */
export function requestOf(
  endpoint: AnyEndpoint,
  { ask }: Operation,
  { of, by, path = endpoint.path }: { of: Owner; by: Asker; path?: string },
): DispatchRequest {
  const asked = ask?.(of, by) ?? {}
  const values = { ...pathValues(of), ...asked.path }
  const filled = path.replaceAll(/:(\w+)/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`${endpoint.operation}: what is :${name}?`)
    return encodeURIComponent(value)
  })
  const takesBody = endpoint.method === 'PUT' || endpoint.method === 'POST'
  const { body = takesBody && endpoint.body !== undefined ? {} : undefined, query = '' } = asked
  return {
    method: endpoint.method,
    url: query === '' ? filled : `${filled}?${query}`,
    ...(body === undefined ? {} : { body }),
    headers: body instanceof Uint8Array ? { 'content-type': 'image/png' } : {},
  }
}

export const textOf = (answer: DispatchResponse): string => Buffer.from(answer.bytes).toString()

function errcodeOf(answer: DispatchResponse): string {
  try {
    const { errcode, flows } = answer.json()
    return typeof errcode === 'string' ? errcode : flows === undefined ? 'without errcode' : 'flows'
  } catch {
    return 'without JSON'
  }
}

/** `200`, or the status with its errcode. */
export function verdictOf(answer: DispatchResponse): string {
  return answer.status < 400 ? '200' : `${answer.status} ${errcodeOf(answer)}`
}
