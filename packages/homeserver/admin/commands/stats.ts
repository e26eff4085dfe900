import { Type } from 'typebox'
import { readTotals } from '@causeway/store/tables/overview.ts'
import { defineAdminCommand } from '../command.ts'

export const command = defineAdminCommand({
  usage: '',
  summary: 'Show how much this server holds',
  input: Type.Object({}),
  run: async (hs) => {
    const totals = await readTotals(hs.db)
    return {
      server: hs.serverName,
      database: hs.db.dialect === 'sqlite' ? 'SQLite' : 'PostgreSQL',
      database_bytes: totals.databaseBytes,
      accounts: totals.accounts,
      deactivated_accounts: totals.deactivated,
      devices: totals.devices,
      rooms: totals.rooms,
      uploads: totals.uploads,
      uploaded_bytes: totals.uploadedBytes,
      open_jobs: totals.openJobs,
      log_position: hs.log.head(),
      search_behind: hs.search.behind(),
      cache_bytes: hs.budget.figures().reduce((sum, { bytes }) => sum + bytes, 0),
    }
  },
})
