// https://spec.matrix.org/v1.19/client-server-api/#capabilities-negotiation
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findRoomVersion, SUPPORTED_ROOM_VERSIONS } from '@causeway/matrix/room-versions/rules.ts'
import type { HomeserverConfig } from '../config.ts'
import { delayedLimits } from '../delayed/delayed-options.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { v3 } from './paths.ts'

const AVAILABLE = Object.fromEntries(
  SUPPORTED_ROOM_VERSIONS.map((version) => [
    version,
    findRoomVersion(version)!.isSpecified ? 'stable' : 'unstable',
  ]),
)

/** https://github.com/matrix-org/matrix-spec-proposals/pull/4140 */
function delayedCapability(config: Pick<HomeserverConfig, 'delayed_events'>): JsonObject {
  const limits = delayedLimits(config.delayed_events)
  if (limits === undefined) return {}
  const { maxDelayMs: max_delay_ms, maxScheduled: max_scheduled } = limits
  return { 'org.matrix.msc4140.delayed_events': { max_delay_ms, max_scheduled } }
}

export const getCapabilities = defineEndpoint({
  operation: 'getCapabilities',
  method: 'GET',
  ...v3('/capabilities'),
  auth: 'user',
  rateLimit: 'read',
  run: async (hs, { session }) => ({
    capabilities: {
      'm.change_password': { enabled: true },
      'm.room_versions': { default: hs.config.default_room_version, available: AVAILABLE },
      'm.set_displayname': { enabled: true },
      'm.set_avatar_url': { enabled: true },
      'm.profile_fields': { enabled: true },
      'm.3pid_changes': {
        enabled: hs.email.isThere || hs.sms.isThere || hs.config.identity_servers.allowed.length > 0,
      },
      'm.get_login_token': { enabled: true },
      'm.forget_forced_upon_leave': { enabled: false },
      ...delayedCapability(hs.config),
      ...(session.isAdmin ? { 'm.account_moderation': { suspend: true, lock: true } } : {}),
    },
  }),
})
