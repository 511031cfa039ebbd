"""Watch agents directories, sync them on changes, and send events to open pages.

`folder_watcher` detects changes. `sync_scheduler` syncs them in a subprocess (`sync_process` on the server's
side, `sync_subprocess` inside it). `change_notifier` detects changes of the history, and `event_broker` sends
events to the pages. `service` connects them.
"""
