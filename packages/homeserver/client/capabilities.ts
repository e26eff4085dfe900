// https://spec.matrix.org/v1.19/client-server-api/#capabilities-negotiation
import { SUPPORTED_ROOM_VERSIONS } from '@causeway/matrix/room-versions/rules.ts'
import { defineEndpoint } from '../http/endpoint.ts'
import { v3 } from './paths.ts'

const AVAILABLE = Object.fromEntries(SUPPORTED_ROOM_VERSIONS.map((version) => [version, 'stable']))

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
        enabled: hs.email.isThere || hs.config.identity_servers.allowed.length > 0,
      },
      'm.get_login_token': { enabled: true },
      'm.forget_forced_upon_leave': { enabled: false },
      ...(session.isAdmin ? { 'm.account_moderation': { suspend: true, lock: true } } : {}),
    },
  }),
})
