import { Type } from 'typebox'
import { listLimits } from '@causeway/store/tables/limits.ts'
import { defineAdminCommand } from '../command.ts'
import { nameOf } from '../limit-target.ts'

export const command = defineAdminCommand({
  usage: '',
  summary:
    'List the limits of everybody, and those that were set for single users, services, servers and addresses',
  input: Type.Object({}),
  run: async (hs) => {
    const changed = await listLimits(hs.db)
    const everybody = new Set(changed.filter(({ kind }) => kind === '').map(({ action }) => action))
    const common = Object.entries(hs.limiter.limits).map(([action, { perSecond, burst }]) => ({
      action,
      of: 'everybody',
      per_second: perSecond,
      burst,
      from: everybody.has(action) ? 'limit set' : 'configuration',
    }))
    const single = changed.filter(({ kind }) => kind !== '')
    return [
      ...common.toSorted((a, b) => a.action.localeCompare(b.action)),
      ...single.map((one) => ({
        action: one.action,
        of: nameOf(one),
        per_second: one.perSecond,
        burst: one.burst,
        from: 'limit set',
      })),
    ]
  },
})
