"""The client of the service: ReportTaskSucceeded and ReportTaskFailed, fnf API 2019-03-15."""
