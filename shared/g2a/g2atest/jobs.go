package g2atest

import "net/http"

// job is work that G2A does behind a call.
type job struct {
	id, resourceID string
	looksLeft      int // that find it pending
}

type startedJob struct {
	JobID string `json:"jobId"`
}

type jobDocument struct {
	JobID    string       `json:"jobId"`
	Status   string       `json:"status"`
	Elements []jobElement `json:"elements"`
}

type jobElement struct {
	ResourceID   *string `json:"resourceId"`
	ResourceType string  `json:"resourceType"`
	Status       string  `json:"status"`
	Code         string  `json:"code,omitempty"`
	Message      string  `json:"message,omitempty"`
}

// startJob answers a call whose work on an offer a job reports. The work itself is done at
// once.
func (s *Simulator) startJob(offerID string) answer {
	j := &job{id: s.randomUUID(), resourceID: offerID, looksLeft: s.options.Import.JobLooks}
	s.jobs[j.id] = j
	return answer{status: http.StatusAccepted, body: oneOf[startedJob]{startedJob{JobID: j.id}}}
}

// changed answers a change or a deletion that was carried out: with a job or, as
// Options.Import has it, without.
func (s *Simulator) changed(offerID string) answer {
	if s.options.Import.ChangeStatus == http.StatusNoContent {
		return answer{status: http.StatusNoContent}
	}
	return s.startJob(offerID)
}

// getJob is GET /v3/jobs/{jobId}.
func (s *Simulator) getJob(c *call) answer {
	j, found := s.jobs[c.value("jobId")]
	if !found {
		return notFound("Job")
	}
	document := jobDocument{JobID: j.id, Status: "pending", Elements: []jobElement{}}
	if j.looksLeft > 0 {
		j.looksLeft--
		return ok(oneOf[jobDocument]{document})
	}
	document.Status = s.options.Import.JobStatus
	element := jobElement{ResourceID: &j.resourceID, ResourceType: "offer", Status: s.options.Import.ElementStatus}
	if s.options.Import.jobsFail() {
		element = jobElement{ResourceType: "offer", Status: "failed", Code: "OF01", Message: "The offer could not be changed"}
	}
	document.Elements = append(document.Elements, element)
	return ok(oneOf[jobDocument]{document})
}
