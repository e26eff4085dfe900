import { notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { grantReplacement, listCrossSigningKeys } from '@causeway/store/tables/cross-signing.ts'
import { defineAdminRequest } from './admin-request.ts'
import { requireAccount, UserParams } from './local-account.ts'

const PERIOD_MS = 10 * 60_000

/**
 * For ten minutes somebody may replace their cross-signing keys, once, without giving their password: who has forgotten
 * it and lost the keys.
 * https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html#allow-replacing-master-cross-signing-key-without-user-interactive-auth
 */
export const synapseAllowKeyReplacement = defineAdminRequest({
  operation: 'synapseAllowKeyReplacement',
  method: 'POST',
  path: '/v1/users/:userId/_allow_cross_signing_replacement_without_uia',
  params: UserParams,
  run: async (hs, { params: { userId } }) => {
    await requireAccount(hs, userId)
    const keys = await listCrossSigningKeys(hs.db, [userId])
    if (!keys.some(({ purpose }) => purpose === 'master'))
      throw notFound('User has no master cross-signing key')
    const until = hs.clock.now() + PERIOD_MS
    await hs.db.commit({ entries: [], steps: [grantReplacement(userId, until)] })
    return { updatable_without_uia_before_ms: until }
  },
})
