// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushers
import { Type, type Static } from 'typebox'
import { invalidParam, MatrixError, missingParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { EMAIL, listPushersOfUser, MAIL_SERVER, type PusherSetting } from '@causeway/store/tables/pushers.ts'
import { findThreepidUser } from '@causeway/store/tables/threepids.ts'
import { readEmailAddress } from '../email/address.ts'
import { sendsNotifications } from '../email-options.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { jsonObject } from '../http/schemas.ts'
import { NOTIFY_PATH } from '../push/deliver.ts'
import { viewPusher } from '../push/view-pusher.ts'
import { MAIL_APP } from '../push/email/mail-pusher.ts'
import { removePusher, setPusher } from '../push/set-pusher.ts'
import { v3 } from './paths.ts'

export const getPushers = defineEndpoint({
  operation: 'getPushers',
  method: 'GET',
  ...v3('/pushers'),
  auth: 'user',
  rateLimit: 'read',
  run: async ({ db }, { session }) => ({
    pushers: (await listPushersOfUser(db, session.userId)).map(viewPusher),
  }),
})

const nameText = Type.Optional(Type.String({ maxLength: 255 }))

/** What is missing is told by the standard errcode for it, so nothing is required here. */
const pusherBody = Type.Object({
  kind: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  app_id: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  pushkey: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
  app_display_name: nameText,
  device_display_name: nameText,
  profile_tag: nameText,
  lang: nameText,
  data: Type.Optional(jsonObject),
  append: Type.Optional(Type.Boolean()),
})
type PusherBody = Static<typeof pusherBody>

const MAX_PUSHKEY_BYTES = 512
const MAX_URL = 2_000
/** What a client may have its gateway told with every notification, in bytes of JSON. */
const MAX_DATA_BYTES = 8_192

export const postPusher = defineEndpoint({
  operation: 'postPusher',
  method: 'POST',
  ...v3('/pushers/set'),
  auth: 'user',
  rateLimit: 'profile',
  body: pusherBody,
  run: async (hs, { session, body }) => {
    const { kind } = body
    if (kind === undefined) throw missingParam('kind must be "http" or "email", or null to delete the pusher')
    const [appId, pushkey] = [required(body, 'app_id'), required(body, 'pushkey')]
    if (Buffer.byteLength(pushkey) > MAX_PUSHKEY_BYTES)
      throw invalidParam(`pushkey may have at most ${MAX_PUSHKEY_BYTES} bytes`)
    if (kind === null) {
      const address = appId === MAIL_APP ? readEmailAddress(pushkey) : undefined
      await removePusher(hs, session.userId, { appId, pushkey: address ?? pushkey })
      return {}
    }
    const place =
      kind === EMAIL ? await mailPlace(hs, session.userId, body) : gatewayPlace(body, kind, session)
    await setPusher(hs, settingOf(session.userId, body, place, hs.clock.now()), body.append ?? false)
    return {}
  },
})

/** Where a pusher leads to, and whose it is. */
type Place = Pick<PusherSetting, 'kind' | 'pushkey' | 'device_id' | 'gateway'>

function gatewayPlace(body: PusherBody, kind: string, { deviceId }: Pick<Session, 'deviceId'>): Place {
  if (kind !== 'http')
    throw invalidParam(`This server has pushers of the kinds "http" and "email", and none of "${kind}"`)
  const gateway = gatewayOf(required(body, 'data'))
  return { kind, pushkey: required(body, 'pushkey'), device_id: deviceId ?? '', gateway }
}

/** Of the account, since its addresses are: it stays when the session ends that set it. */
async function mailPlace(
  { db, config }: Pick<Homeserver, 'db' | 'config'>,
  userId: UserId,
  body: PusherBody,
): Promise<Place> {
  if (!sendsNotifications(config.email)) throw invalidParam('This server tells nobody of messages by e-mail')
  if (required(body, 'app_id') !== MAIL_APP)
    throw invalidParam(`The app_id of a pusher of the kind "email" is "${MAIL_APP}"`)
  const address = readEmailAddress(required(body, 'pushkey'))
  const owner = address === undefined ? undefined : await findThreepidUser(db, { medium: 'email', address })
  if (address === undefined || owner !== userId) {
    throw new MatrixError(
      'M_THREEPID_NOT_FOUND',
      'pushkey has to be one of the e-mail addresses of your account; add it first',
    )
  }
  return { kind: EMAIL, pushkey: address, device_id: '', gateway: MAIL_SERVER }
}

function settingOf(userId: UserId, body: PusherBody, place: Place, now: number): PusherSetting {
  const data = place.kind === EMAIL ? (body.data ?? {}) : required(body, 'data')
  const text = JSON.stringify(data)
  if (Buffer.byteLength(text) > MAX_DATA_BYTES)
    throw invalidParam(`data may have at most ${MAX_DATA_BYTES} bytes`)
  return {
    user_id: userId,
    app_id: required(body, 'app_id'),
    ...place,
    app_display_name: required(body, 'app_display_name'),
    device_display_name: required(body, 'device_display_name'),
    profile_tag: body.profile_tag ?? '',
    lang: required(body, 'lang'),
    data: text,
    set_ts: now,
  }
}

function required<K extends keyof PusherBody>(body: PusherBody, name: K): NonNullable<PusherBody[K]> {
  const value = body[name]
  if (value === undefined || value === null) throw missingParam(`A pusher needs ${name}`)
  return value
}

/** Host and port of the gateway. */
function gatewayOf({ url: text }: JsonObject): string {
  if (text === undefined) throw missingParam('A pusher needs data.url, the address of its push gateway')
  const url =
    typeof text === 'string' && text.length <= MAX_URL && URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'https:' || url.pathname !== NOTIFY_PATH || url.username + url.password !== '')
    throw invalidParam(`data.url must be an address such as https://push.example.org${NOTIFY_PATH}`)
  return url.host
}
